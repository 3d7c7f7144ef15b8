//! Servers over loopback that send back what comes: how much they get through, and what of the processor that takes.

use std::{
    env,
    io::{self, BufRead, BufReader, Read as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio, exit},
    thread,
    time::Duration,
};

use procfs::process::Process;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{self, Runtime},
};

use super::{
    servers::{self, Server},
    wire,
};
use crate::{Result, instant, quartiles::Quartiles};

/// Rounds, in each of which every server is asked once.
pub(super) const ROUNDS: usize = 9;

/// For how long a server is asked at a time.
pub(super) const TIME: Duration = Duration::from_millis(300);

/// Bytes of the payload of each message.
pub(super) const PAYLOAD: usize = 64;

/// How clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) connections: usize,
    /// So many messages go out at once, and come back before the next ones do.
    pub(super) window: usize,
}

pub(super) const LOADS: [Load; 3] = [
    Load {
        name: "16 connections, 32 messages at a time",
        connections: 16,
        window: 32,
    },
    Load {
        name: "16 connections, one message at a time",
        connections: 16,
        window: 1,
    },
    Load {
        name: "1 connection, one message at a time",
        connections: 1,
        window: 1,
    },
];

/// What a server came to, as parts of what the first one came to in the same round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Messages a second, the median.
    pub(super) rate: f64,
    /// Nanoseconds of the processor for each message, the median.
    pub(super) nanos: f64,
    pub(super) rate_of_base: Quartiles,
    pub(super) nanos_of_base: Quartiles,
}

/// Asks all servers by turns.
pub(super) fn measure(load: Load) -> Result<Vec<Found>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let mut running = servers::timed()
        .map(|server| Running::start(&runtime, server, load))
        .collect::<Result<Vec<_>>>()?;
    let mut rounds: Vec<Vec<Asked>> = Vec::new();
    for round in 0..=ROUNDS {
        let asked = running
            .iter_mut()
            .map(|server| server.ask(&runtime, load))
            .collect::<Result<_>>()?;
        // The first one is for the caches and the windows of TCP.
        if round > 0 {
            rounds.push(asked);
        }
    }
    let of = |place: usize, figure: fn(&Asked, &Asked) -> f64| {
        Quartiles::of(rounds.iter().map(|asked| figure(&asked[place], &asked[0])).collect())
    };
    let found = (0..running.len()).map(|place| {
        Some(Found {
            rate: of(place, |asked, _| asked.rate)?.median,
            nanos: of(place, |asked, _| asked.nanos)?.median,
            rate_of_base: of(place, |asked, base| asked.rate / base.rate)?,
            nanos_of_base: of(place, |asked, base| asked.nanos / base.nanos)?,
        })
    });
    found.collect::<Option<_>>().ok_or_else(|| "no rounds".into())
}

/// What one asking of a server came to.
#[derive(Clone, Copy, Debug)]
struct Asked {
    rate: f64,
    nanos: f64,
}

/// A server and its clients.
struct Running {
    child: Child,
    clients: Vec<TcpStream>,
}

impl Running {
    fn start(runtime: &Runtime, server: &Server, load: Load) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["websocket", "serve", server.name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("a child without standard output")?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        let address: SocketAddr = address.trim().parse()?;
        let mut clients = Vec::new();
        for _ in 0..load.connections {
            clients.push(runtime.block_on(connect(address))?);
        }
        Ok(Self { child, clients })
    }

    fn ask(&mut self, runtime: &Runtime, load: Load) -> Result<Asked> {
        let window = wire::frames(PAYLOAD, load.window);
        let before = self.processor()?;
        let start = instant::now();
        let until = start + TIME;
        let clients: Vec<_> = self
            .clients
            .drain(..)
            .map(|client| talk(client, window.clone(), load.window, until))
            .collect();
        let ended = runtime.block_on(async {
            let tasks: Vec<_> = clients.into_iter().map(tokio::spawn).collect();
            let mut ended = Vec::new();
            for task in tasks {
                ended.push(task.await?);
            }
            Ok::<_, tokio::task::JoinError>(ended)
        })?;
        let mut messages = 0;
        for talked in ended {
            let (client, count) = talked?;
            self.clients.push(client);
            messages += count;
        }
        let (took, count) = (instant::now().saturating_duration_since(start), messages as f64);
        Ok(Asked {
            rate: count / took.as_secs_f64(),
            nanos: (self.processor()? - before) as f64 / count,
        })
    }

    /// Nanoseconds that the server has had of the processor. It has one thread that does anything.
    fn processor(&self) -> Result<u64> {
        Ok(Process::new(i32::try_from(self.child.id())?)?.schedstat()?.sum_exec_runtime)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // That it has ended already is no trouble.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let mut client = TcpStream::connect(address).await?;
    client.set_nodelay(true)?;
    client.write_all(servers::HANDSHAKE).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(client.read_u8().await?);
    }
    if answer.starts_with(b"HTTP/1.1 101 ") {
        Ok(client)
    } else {
        Err(String::from_utf8_lossy(&answer).into())
    }
}

/// Sends windows of messages and waits for what comes back, for some time, and says how many came.
async fn talk(
    mut client: TcpStream,
    window: Vec<u8>,
    messages: usize,
    until: std::time::Instant,
) -> io::Result<(TcpStream, u64)> {
    // Two bytes before each, and no mask.
    let mut back = vec![0; messages * (2 + PAYLOAD)];
    let mut count = 0;
    while instant::now() < until {
        client.write_all(&window).await?;
        client.read_exact(&mut back).await?;
        count += messages as u64;
    }
    Ok((client, count))
}

/// Serves on a free port of loopback, which it prints, for as long as its standard input is open.
pub(super) fn serve(server: &str) -> Result<()> {
    let server = servers::find(server)?;
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        exit(0);
    });
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        servers::serve(listener, server).await?;
        Ok(())
    })
}
