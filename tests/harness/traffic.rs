//! Servers that say who they are, and clients that ask them.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::sctp;
use crate::topology::Host;

/// How long a client waits. Long, because the machine may be busy; what must fail fast is checked by how it fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// The protocol of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP: an association's first packet and its answer.
    Sctp,
}

/// Who answered, and who it took us for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The server's name.
    pub server: String,
    /// The source address it saw.
    pub seen_as: IpAddr,
}

/// How a client failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was told no: a reset, or an ICMP error.
    Rejected,
    /// Nothing came back in time.
    TimedOut,
    /// Something else.
    Other(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A local sender learns of a reject in its own output path as EPERM.
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::PermissionDenied => Self::Rejected,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::TimedOut,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// A connection that stays open.
#[derive(Debug)]
pub struct Conversation {
    stream: BufReader<TcpStream>,
    /// Who answers.
    pub answer: Answer,
}

impl Conversation {
    /// Says something and waits for the echo.
    ///
    /// # Errors
    /// Where the connection does not live any more.
    pub fn say(&mut self, words: &str) -> Result<(), Failure> {
        self.stream.get_mut().write_all(format!("{words}\n").as_bytes())?;
        let mut echo = String::new();
        self.stream.read_line(&mut echo)?;
        if echo.trim_end() == words { Ok(()) } else { Err(Failure::Other(format!("said {words:?}, heard {echo:?}"))) }
    }
}

impl Host {
    /// Serves a port in all three protocols, both families, for the rest of the process: each answer says the host's
    /// name and the client's address as it arrived.
    pub fn serve(&self, port: u16) {
        let name = self.name.clone();
        let sockets = self.run(move || -> io::Result<_> {
            let any: SocketAddr = (Ipv6Addr::UNSPECIFIED, port).into();
            Ok((TcpListener::bind(any)?, UdpSocket::bind(any)?, sctp::listen()?))
        });
        let (tcp, udp, sctp) = sockets.unwrap_or_else(|error| panic!("{}: port {port}: {error}", self.name));
        let names = [name.clone(), name.clone(), name];
        let [tcp_name, udp_name, sctp_name] = names;
        std::thread::spawn(move || serve_tcp(&tcp, &tcp_name));
        std::thread::spawn(move || serve_udp(&udp, &udp_name));
        for socket in sctp {
            let name = sctp_name.clone();
            std::thread::spawn(move || sctp::serve(&socket, port, &name));
        }
    }

    /// Asks who is at an address.
    ///
    /// # Errors
    /// How it failed.
    pub fn ask(&self, transport: Transport, to: SocketAddr) -> Result<Answer, Failure> {
        self.run(move || ask(transport, to, PATIENCE))
    }

    /// Asks again and again, until `enough` of the answers so far, or `most` times; waits no longer than `patience` for
    /// each. Gives the answers.
    pub fn ask_until(
        &self,
        transport: Transport,
        to: SocketAddr,
        patience: Duration,
        most: usize,
        enough: impl Fn(&[Result<Answer, Failure>]) -> bool + Send,
    ) -> Vec<Result<Answer, Failure>> {
        self.run(move || {
            let mut answers = Vec::new();
            while answers.len() < most && !enough(&answers) {
                answers.push(ask(transport, to, patience));
            }
            answers
        })
    }

    /// Asks `count` times, one after the other, in one thread.
    pub fn ask_often(&self, transport: Transport, to: SocketAddr, count: usize) -> Vec<Result<Answer, Failure>> {
        self.run(move || (0..count).map(|_| ask(transport, to, PATIENCE)).collect())
    }

    /// Opens a connection that stays.
    ///
    /// # Errors
    /// How it failed.
    pub fn converse(&self, to: SocketAddr) -> Result<Conversation, Failure> {
        self.run(move || ask_tcp(to, PATIENCE))
    }
}

fn greeting(name: &str, peer: SocketAddr) -> String {
    format!("{name} {}\n", peer.ip().to_canonical())
}

pub(crate) fn parse_greeting(greeting: &str) -> Result<Answer, Failure> {
    greeting
        .trim_end()
        .split_once(' ')
        .and_then(|(server, seen_as)| Some(Answer { server: server.to_owned(), seen_as: seen_as.parse().ok()? }))
        .ok_or_else(|| Failure::Other(format!("a greeting of no server: {greeting:?}")))
}

fn serve_tcp(listener: &TcpListener, name: &str) {
    while let Ok((mut stream, peer)) = listener.accept() {
        let hello = greeting(name, peer);
        std::thread::spawn(move || -> io::Result<()> {
            stream.write_all(hello.as_bytes())?;
            let mut lines = BufReader::new(stream.try_clone()?).lines();
            while let Some(Ok(line)) = lines.next() {
                stream.write_all(format!("{line}\n").as_bytes())?;
            }
            Ok(())
        });
    }
}

fn serve_udp(socket: &UdpSocket, name: &str) {
    let mut packet = [0; 512];
    while let Ok((_, peer)) = socket.recv_from(&mut packet) {
        // A client that is gone is no reason to stop.
        let _ = socket.send_to(greeting(name, peer).as_bytes(), peer);
    }
}

fn ask(transport: Transport, to: SocketAddr, patience: Duration) -> Result<Answer, Failure> {
    match transport {
        Transport::Tcp => ask_tcp(to, patience).map(|conversation| conversation.answer),
        Transport::Udp => ask_udp(to, patience),
        Transport::Sctp => sctp::ask(to, patience),
    }
}

fn ask_tcp(to: SocketAddr, patience: Duration) -> Result<Conversation, Failure> {
    let stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut greeting = String::new();
    stream.read_line(&mut greeting)?;
    Ok(Conversation { answer: parse_greeting(&greeting)?, stream })
}

/// Asks by UDP. A rejection may be rate limited by the kernel, so the question is repeated.
fn ask_udp(to: SocketAddr, patience: Duration) -> Result<Answer, Failure> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(patience / 10))?;
    let start = Instant::now();
    let mut packet = [0; 512];
    loop {
        socket.send(b"who?")?;
        match socket.recv(&mut packet) {
            Ok(len) => return parse_greeting(&String::from_utf8_lossy(&packet[..len])),
            Err(error) => match Failure::from(error) {
                Failure::TimedOut if start.elapsed() < patience => {}
                failure => return Err(failure),
            },
        }
    }
}
