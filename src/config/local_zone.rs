//! Which zone this machine is in, by name. The rules of the zone itself are inside the program.

use super::environment::{Environment, Variable};

/// Where systems say it, as a link into their zone database.
const LINK: &str = "/etc/localtime";

/// The zone that `TZ` names, else that of the machine, else `UTC`.
pub(crate) fn local_zone(environment: &Environment) -> String {
    if let Variable::Set(name) = environment.get("TZ") {
        let name = name.strip_prefix(':').unwrap_or(name);
        return behind_database(name).unwrap_or(name).to_owned();
    }
    let link = std::fs::read_link(LINK).ok();
    link.as_deref()
        .and_then(|path| behind_database(path.to_str()?))
        .unwrap_or("UTC")
        .to_owned()
}

/// `Europe/Paris` out of `/usr/share/zoneinfo/Europe/Paris`.
fn behind_database(path: &str) -> Option<&str> {
    path.split_once("zoneinfo/").map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_goes_before_the_machine() {
        for (value, zone) in [
            ("Europe/Paris", "Europe/Paris"),
            (":Europe/Paris", "Europe/Paris"),
            (":/usr/share/zoneinfo/Asia/Kolkata", "Asia/Kolkata"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0,M10.5.0/3"),
        ] {
            assert_eq!(local_zone(&Environment::from([("TZ", value)])), zone);
        }
        assert!(!local_zone(&Environment::default()).is_empty());
    }
}
