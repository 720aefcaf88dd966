//! Which proxy a connection goes through: what is configured, or what `HTTPS_PROXY`, `HTTP_PROXY`
//! and `NO_PROXY` say. Pure; connects to nothing.

use std::net::IpAddr;

use hyper::Uri;
use hyper::header::HeaderValue;

use super::{Failure, Target, auth};
use crate::config::Proxy;

/// The proxies of one output.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    https: Option<Result<Server, String>>,
    http: Option<Result<Server, String>>,
    except: Vec<Except>,
}

/// One proxy.
#[derive(Clone, PartialEq)]
pub(crate) struct Server {
    /// Where it is; plain TCP.
    pub(crate) target: Target,
    /// What it is told of who we are.
    pub(crate) authorization: Option<HeaderValue>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.target.authority())
    }
}

/// What is reached without a proxy.
#[derive(Debug, PartialEq)]
enum Except {
    Everything,
    /// A host and all below it, at a port or at any.
    Host(String, Option<u16>),
    /// Addresses with this many first bits.
    Network(IpAddr, u8),
}

impl Proxies {
    /// As configured; `variable` gives the environment's.
    pub(crate) fn new(proxy: &Proxy, variable: impl Fn(&str) -> Option<String>) -> Self {
        match proxy {
            Proxy::Off => Self::default(),
            Proxy::Url(url) => {
                let server = Some(server(url, "proxy"));
                Self {
                    https: server.clone(),
                    http: server,
                    except: Vec::new(),
                }
            }
            Proxy::Environment => {
                let of = |name: &str| {
                    let lower = name.to_ascii_lowercase();
                    let value = [lower.as_str(), name].into_iter().find_map(&variable);
                    value.filter(|it| !it.trim().is_empty())
                };
                let found = |name| of(name).map(|url| server(url.trim(), name));
                Self {
                    https: found("HTTPS_PROXY"),
                    http: found("HTTP_PROXY"),
                    except: of("NO_PROXY")
                        .map(|text| exceptions(&text))
                        .unwrap_or_default(),
                }
            }
        }
    }

    /// The proxy for a target, if it is not reached directly.
    pub(crate) fn of(&self, target: &Target) -> Result<Option<&Server>, Failure> {
        let server = if target.is_tls {
            &self.https
        } else {
            &self.http
        };
        let Some(server) = server else {
            return Ok(None);
        };
        if is_near(&target.host) || self.except.iter().any(|it| it.holds(target)) {
            return Ok(None);
        }
        match server {
            Ok(server) => Ok(Some(server)),
            Err(why) => Err(Failure::ProxyUrl(why.clone())),
        }
    }
}

/// This machine, and what only this machine can reach, such as the services that give AWS
/// credentials.
pub(crate) fn is_near(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(it)) => it.is_loopback() || it.is_link_local(),
        // fd00:ec2::23 is where EKS gives credentials, fd00:ec2::254 where EC2 does.
        Ok(IpAddr::V6(it)) => {
            it.is_loopback() || it.is_unicast_link_local() || it.segments()[..2] == [0xfd00, 0x0ec2]
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn server(url: &str, named_by: &str) -> Result<Server, String> {
    let has_scheme = url.contains("://");
    let url = if has_scheme {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let (plain, user) = auth::split_user(&url);
    let target = plain.parse::<Uri>().ok().and_then(|uri| {
        let is_spoken = uri.scheme_str() == Some("http");
        Target::of(&uri).filter(|_| is_spoken)
    });
    match target {
        Some(target) => Ok(Server {
            target,
            authorization: user.map(|(user, password)| auth::basic(&user, &password)),
        }),
        None => Err(format!(
            "{named_by} names {plain}, which is no http:// URL of a proxy; set it to one such as http://proxy.internal:3128, or set proxy: off for this output"
        )),
    }
}

fn exceptions(text: &str) -> Vec<Except> {
    text.split([',', ' '])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            if part == "*" {
                return Except::Everything;
            }
            if let Some((address, bits)) = part.split_once('/')
                && let (Ok(address), Ok(bits)) = (address.parse(), bits.parse())
            {
                return Except::Network(address, bits);
            }
            if let Ok(address) = part.trim_matches(['[', ']']).parse::<IpAddr>() {
                return Except::Network(address, 128);
            }
            let (host, port) = match part.rsplit_once(':') {
                Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()),
                _ => (part, None),
            };
            let host = host.trim_start_matches('*').trim_start_matches('.');
            Except::Host(host.to_ascii_lowercase(), port)
        })
        .collect()
}

impl Except {
    fn holds(&self, target: &Target) -> bool {
        match self {
            Self::Everything => true,
            Self::Host(host, port) => {
                let name = target.host.to_ascii_lowercase();
                let is_below = name
                    .strip_suffix(host.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                is_below && port.is_none_or(|port| port == target.port)
            }
            Self::Network(network, bits) => match (network, target.host.parse()) {
                (IpAddr::V4(network), Ok(IpAddr::V4(address))) => {
                    let shift = 32_u32.saturating_sub(u32::from(*bits));
                    let first = |it: std::net::Ipv4Addr| it.to_bits().checked_shr(shift);
                    first(*network) == first(address)
                }
                (IpAddr::V6(network), Ok(IpAddr::V6(address))) => {
                    let shift = 128_u32.saturating_sub(u32::from(*bits));
                    let first = |it: std::net::Ipv6Addr| it.to_bits().checked_shr(shift);
                    first(*network) == first(address)
                }
                _ => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &'static [(&str, &str)]) -> Proxies {
        Proxies::new(&Proxy::Environment, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn way(proxies: &Proxies, url: &str) -> String {
        let target = Target::of(&url.parse().unwrap()).unwrap();
        match proxies.of(&target) {
            Ok(Some(server)) => server.target.authority(),
            Ok(None) => "direct".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_environment_says_which_proxy_leads_where() {
        let proxies = proxies(&[
            ("HTTPS_PROXY", "http://secure:3128"),
            ("http_proxy", "plain:8080"),
            (
                "NO_PROXY",
                ".svc, example.org,10.0.0.0/8,192.0.2.7, odd.net:8443,2001:db8::/32",
            ),
        ]);
        for (url, expected) in [
            ("https://logs.eu-west-1.amazonaws.com", "secure:3128"),
            ("http://loki.internal", "plain:8080"),
            ("http://loki.loki.svc", "direct"),
            ("https://example.org", "direct"),
            ("https://a.example.org", "direct"),
            ("https://anexample.org", "secure:3128"),
            ("https://10.200.1.1", "direct"),
            ("https://11.200.1.1", "secure:3128"),
            ("https://192.0.2.7", "direct"),
            ("https://192.0.2.8", "secure:3128"),
            ("https://odd.net:8443", "direct"),
            ("https://odd.net", "secure:3128"),
            ("https://[2001:db8::1]", "direct"),
            ("https://[2001:db9::1]", "secure:3128"),
            ("http://169.254.169.254", "direct"),
            ("http://[fd00:ec2::23]", "direct"),
            ("http://127.0.0.1:3100", "direct"),
            ("http://localhost:3100", "direct"),
        ] {
            assert_eq!(way(&proxies, url), expected, "{url}");
        }
    }

    #[test]
    fn a_proxy_that_is_not_spoken_to_is_told_without_its_password() {
        let proxies = proxies(&[("HTTPS_PROXY", "socks5://me:hunter2@proxy:1080")]);
        let told = way(&proxies, "https://example.org");
        assert!(
            told.contains("HTTPS_PROXY names socks5://proxy:1080"),
            "{told}"
        );
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(way(&proxies, "http://example.org"), "direct");
    }

    #[test]
    fn what_is_configured_goes_before_the_environment() {
        let url = Proxy::Url("http://me:pw@own:3128".to_owned());
        let own = Proxies::new(&url, |_| Some("*".to_owned()));
        assert_eq!(way(&own, "https://example.org"), "own:3128");
        assert_eq!(way(&own, "http://example.org"), "own:3128");
        let target = Target::of(&"https://example.org".parse().unwrap()).unwrap();
        let header = own.of(&target).unwrap().unwrap().authorization.clone();
        assert_eq!(header.unwrap(), "Basic bWU6cHc=");
        let off = Proxies::new(&Proxy::Off, |_| Some("http://other:1".to_owned()));
        assert_eq!(way(&off, "https://example.org"), "direct");
    }
}
