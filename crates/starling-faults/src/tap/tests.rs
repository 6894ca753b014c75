use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(20);

/// A server that writes down what it is told, and a client's connection to it through a tap.
struct Line {
    tap: Tap,
    client: TcpStream,
    server: TcpStream,
}

async fn line(wire: Wire) -> Line {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let server = listener.local_addr().expect("an address");
    let tap = Tap::before(wire, server, 1).await.expect("a tap");
    let client = TcpStream::connect(tap.address).await.expect("a connection");
    let (server, _) = listener.accept().await.expect("a connection");
    Line { tap, client, server }
}

async fn reads(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    let read = timeout(SOON, stream.read_exact(&mut bytes)).await;
    read.expect("it comes").expect("an open connection");
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(expected));
}

fn message(n: u8) -> Vec<u8> {
    resp::command(&[b"message", b"starling:bus:r:x", &[b'0' + n]])
}

#[tokio::test]
async fn a_withheld_commit_never_comes_and_what_was_before_it_does() {
    let mut line = line(Wire::Postgres).await;
    let sprung = line.tap.trap(Point::InsideTransaction, 2);
    let startup = [0, 0, 0, 8, 0, 3, 0, 0];
    let commit = b"Q\0\0\0\x0bCOMMIT\0";
    let insert = b"Q\0\0\0\x0bINSERT\0";
    for bytes in [&startup[..], commit, insert, commit, insert] {
        line.client.write_all(bytes).await.expect("written");
    }
    reads(&mut line.server, &[&startup[..], commit, insert].concat()).await;
    timeout(SOON, sprung)
        .await
        .expect("it springs")
        .expect("the tap lives");
    line.tap.cut();
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = timeout(SOON, line.server.read_to_end(&mut rest))
        .await
        .expect("it ends");
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_mute_node_is_told_that_it_was_heard_and_its_probes_pass() {
    let mut line = line(Wire::Redis).await;
    line.tap.set_mute(true);
    let probe = resp::command(&[b"PUBLISH", b"starling:bus:probe:{0}:1:n", b"?"]);
    let told = resp::command(&[b"PUBLISH", b"starling:bus:r:x", b"payload"]);
    line.client
        .write_all(&[probe.clone(), told].concat())
        .await
        .expect("written");
    let nowhere = resp::command(&[b"PUBLISH", b"starling-faults:nowhere", b""]);
    reads(&mut line.server, &[probe, nowhere].concat()).await;
    assert_eq!(line.tap.touched(), 1);
}

#[tokio::test]
async fn messages_are_lost_repeated_and_late_as_told() {
    let mut line = line(Wire::Redis).await;
    let other = b"+OK\r\n".to_vec();
    let all = |lose, repeat, delay| Noise { lose, repeat, delay };
    line.tap.set_noise(all(100, 0, 0));
    line.server
        .write_all(&[message(1), other.clone()].concat())
        .await
        .expect("written");
    reads(&mut line.client, &other).await;
    line.tap.set_noise(all(0, 100, 0));
    line.server.write_all(&message(2)).await.expect("written");
    reads(&mut line.client, &[message(2), message(2)].concat()).await;
    line.tap.set_noise(all(0, 0, 100));
    line.server
        .write_all(&[message(3), other.clone()].concat())
        .await
        .expect("written");
    reads(&mut line.client, &[other, message(3)].concat()).await;
}
