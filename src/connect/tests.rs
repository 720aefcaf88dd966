//! Names whose addresses change, which no test from outside can arrange.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::dial::Names;
use super::*;
use crate::config::{Connection, Proxy, Tls};

fn settings(lifetime: Duration) -> Connection {
    Connection {
        tls: Tls::default(),
        proxy: Proxy::Off,
        timeout: Duration::from_secs(20),
        idle: Duration::from_secs(20),
        lifetime,
    }
}

/// A server that answers every request with its name.
async fn server(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{name}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

fn client(addresses: &Arc<Mutex<Vec<SocketAddr>>>, settings: &Connection) -> Client {
    let names = Names::Fixed(Arc::clone(addresses));
    Client::with(Dialer::new(settings).with_names(names), settings)
}

async fn ask(client: &Client) -> Result<String, Failure> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = Uri::from_static("http://service.test/");
    let limits = Limits {
        connect: None,
        answer: 100,
    };
    let response = client.send(request, limits).await?;
    Ok(String::from_utf8_lossy(response.body()).into_owned())
}

#[tokio::test]
async fn a_change_in_dns_is_followed_when_the_old_connection_has_had_its_time() {
    let (a, b) = (server("a").await, server("b").await);
    let addresses = Arc::new(Mutex::new(vec![a]));
    let short = client(&addresses, &settings(Duration::from_millis(200)));
    let long = client(&addresses, &settings(Duration::from_hours(1)));
    assert_eq!(ask(&short).await.unwrap(), "a");
    assert_eq!(ask(&long).await.unwrap(), "a");
    *addresses.lock().unwrap() = vec![b];
    // The longest that one with a lifetime of 200 ms may live.
    tokio::time::sleep(Duration::from_millis(220)).await;
    assert_eq!(ask(&short).await.unwrap(), "b");
    assert_eq!(ask(&long).await.unwrap(), "a");
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_passed_over() {
    let dead = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        listener.local_addr().unwrap()
    };
    let addresses = Arc::new(Mutex::new(vec![dead, server("b").await]));
    let client = client(&addresses, &settings(Duration::from_hours(1)));
    assert_eq!(ask(&client).await.unwrap(), "b");
    addresses.lock().unwrap().clear();
    let lone = self::client(&addresses, &settings(Duration::from_hours(1)));
    let told = ask(&lone).await.unwrap_err();
    assert_eq!(told.kind(), Kind::Name);
    assert!(
        told.to_string().contains("address of service.test"),
        "{told}"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_in_tls_is_given_up_in_time() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addresses = Arc::new(Mutex::new(vec![listener.local_addr().unwrap()]));
    let mut settings = settings(Duration::from_hours(1));
    settings.timeout = Duration::from_millis(100);
    let client = client(&addresses, &settings);
    let mut request = Request::new(Full::default());
    *request.uri_mut() = Uri::from_static("https://service.test/");
    let limits = Limits {
        connect: None,
        answer: 100,
    };
    let told = client.send(request, limits).await.unwrap_err();
    assert_eq!(
        told.to_string(),
        "cannot connect to service.test:443: no answer in TLS within 100ms; look whether the server speaks TLS at this port"
    );
}
