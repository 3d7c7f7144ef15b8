use http::{HeaderMap, Method, header::CONTENT_TYPE};

const APPLICATION_GRPC: &[u8] = b"application/grpc";

/// Whether a request is a gRPC call: a `POST` of the content type `application/grpc`, with or without a suffix such as `+proto`.
/// gRPC-Web is another protocol, whose trailers are part of its body.
pub(crate) fn is_grpc(method: &Method, headers: &HeaderMap) -> bool {
    if *method != Method::POST {
        return false;
    }
    let Some(content_type) = headers.get(CONTENT_TYPE) else {
        return false;
    };
    match content_type.as_bytes().split_at_checked(APPLICATION_GRPC.len()) {
        Some((start, rest)) => start.eq_ignore_ascii_case(APPLICATION_GRPC) && matches!(rest.first(), None | Some(b'+' | b';')),
        None => false,
    }
}

/// The service and the method in the path of a call, `/package.Service/Method`. They are a stranger's words until the server answered
/// with a code that [only a handler gives](super::GrpcCode::tells_of_handler).
pub(crate) fn split_path(path: &str) -> Option<(&str, &str)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let two_parts = !service.is_empty() && !method.is_empty() && !method.contains('/');
    two_parts.then_some((service, method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_by_method_and_content_type() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc+json; charset=utf-8", true),
            ("application/grpc;charset=utf-8", true),
            ("Application/GRPC+Proto", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("application/grp", false),
            ("application/json", false),
            ("text/plain; application/grpc", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
            assert_eq!(is_grpc(&Method::POST, &headers), expected, "{content_type}");
            assert!(!is_grpc(&Method::GET, &headers), "{content_type}");
        }
        assert!(!is_grpc(&Method::POST, &HeaderMap::new()));
    }

    #[test]
    fn a_path_has_exactly_two_parts() {
        for (path, expected) in [
            ("/grpc.health.v1.Health/Check", Some(("grpc.health.v1.Health", "Check"))),
            ("/S/m", Some(("S", "m"))),
            ("", None),
            ("/", None),
            ("//", None),
            ("/S", None),
            ("/S/", None),
            ("//m", None),
            ("S/m", None),
            ("/S/m/", None),
            ("/a/S/m", None),
        ] {
            assert_eq!(split_path(path), expected, "{path}");
        }
    }
}
