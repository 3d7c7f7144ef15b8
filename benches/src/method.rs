//! How something was measured, as paragraphs with a label each.

/// Columns of a line.
const WIDTH: usize = 130;

/// The paragraphs below each other, with their labels to the left.
pub(crate) fn block(paragraphs: &[(&str, String)]) -> String {
    let indent = paragraphs.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + 3;
    paragraphs
        .iter()
        .map(|(label, text)| paragraph(&format!("{label}:"), text, indent))
        .collect()
}

fn paragraph(label: &str, text: &str, indent: usize) -> String {
    let mut paragraph = String::new();
    let mut line = label.to_owned();
    for word in text.split_whitespace() {
        if line.len() > indent && line.len() + 1 + word.len() > WIDTH {
            paragraph.push_str(&line);
            paragraph.push('\n');
            line.clear();
        }
        let gap = indent.saturating_sub(line.len()).max(1);
        line = format!("{line}{:gap$}{word}", "");
    }
    paragraph + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_beside_their_labels() {
        let text = block(&[("a", "word ".repeat(30)), ("long", "one".to_owned())]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("a:     word word") && lines[0].len() <= WIDTH);
        assert!(lines[1].starts_with("       word"));
        assert_eq!(lines[2], "long:  one");
        assert_eq!(text.matches("word").count(), 30);
    }
}
