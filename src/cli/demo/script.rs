//! What the demo's automation logs: a scheduled Python report script, in French, with the format
//! `%(asctime)s - %(name)s - %(levelname)s - %(message)s`. Pure text; writes nothing and knows no
//! clock.

/// The script's memory from run to run: every order has a number of its own, so that nearly every
/// line is there once only.
#[derive(Debug)]
pub(super) struct Script {
    runs: u64,
    next_order: u64,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// All goes well.
    Well,
    /// One order fails with `logger.exception`, the run goes on.
    Stumbles,
    /// In the middle it logs `CRITICAL` with `exc_info`, and that is the end of it.
    Dies,
}

/// One call of the logger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    logger: &'static str,
    level: &'static str,
    message: String,
    /// The lines of the traceback.
    traceback: Option<String>,
}

const CLIENTS: [&str; 7] = [
    "Boulangerie Noël",
    "Café de l’Église",
    "Pâtisserie Garçon",
    "Librairie Æther",
    "Mme Françoise Lefèvre",
    "Société Générale de Bâtiment",
    "Fromagerie du Père Élie",
];
const TOWNS: [&str; 5] = [
    "Besançon",
    "Nîmes",
    "Saint-Étienne",
    "Orléans",
    "L’Haÿ-les-Roses",
];

impl Script {
    pub(super) fn new() -> Self {
        Self {
            runs: 0,
            next_order: 48_211,
        }
    }

    /// All that the next run logs while it works on so many orders.
    pub(super) fn run(&mut self, orders: u64, fate: Fate) -> Vec<Entry> {
        self.runs += 1;
        let run = self.runs;
        let mut log = vec![
            Entry::new(
                "rapport",
                "INFO",
                format!("Démarrage du rapport quotidien, passage n° {run}"),
            ),
            Entry::new(
                "rapport.sources",
                "DEBUG",
                format!(
                    "Connexion à la base « commandes » établie en {} ms",
                    17 + run
                ),
            ),
        ];
        let first = self.next_order;
        self.next_order += orders;
        for order in first..self.next_order {
            log_order(&mut log, order);
            if order == first + orders / 2 {
                match fate {
                    Fate::Well => {}
                    Fate::Stumbles => log.push(stumble(order)),
                    Fate::Dies => {
                        log.push(death(run, order));
                        return log;
                    }
                }
            }
        }
        log.push(Entry::new(
            "rapport",
            "INFO",
            format!(
                "Rapport n° {run} terminé : {orders} commandes traitées, envoyé à la direction"
            ),
        ));
        log
    }
}

fn log_order(log: &mut Vec<Entry>, order: u64) {
    let client = pick(&CLIENTS, order);
    let cents = order * 7919 % 98_765 + 120;
    let amount = format!("{},{:02} €", cents / 100, cents % 100);
    log.push(Entry::new(
        "rapport.commandes",
        "INFO",
        format!("Commande n° {order} intégrée : {client}, {amount}"),
    ));
    if order.is_multiple_of(3) {
        log.push(Entry::new(
            "rapport.cache",
            "DEBUG",
            format!("Commande n° {order} : « {client} » déjà connu, adresse relue dans le cache"),
        ));
    }
    if order.is_multiple_of(11) {
        let town = pick(&TOWNS, order / 11);
        log.push(Entry::new(
            "rapport.controle",
            "WARNING",
            format!("Commande n° {order} : code postal manquant, « {town} » retenu par défaut"),
        ));
    }
    log.push(Entry::new(
        "rapport.factures",
        "INFO",
        format!("Facture F-{order} créée, échéance à 30 jours ({amount})"),
    ));
}

/// What `logger.exception` writes.
fn stumble(order: u64) -> Entry {
    let mut entry = Entry::new(
        "rapport.factures",
        "ERROR",
        format!("Échec de l’envoi de la facture F-{order}, nouvel essai au prochain passage"),
    );
    entry.traceback = Some(format!(
        r#"Traceback (most recent call last):
  File "/opt/rapport/factures.py", line 112, in envoyer
    serveur.sendmail(EXPEDITEUR, client.adresse, message)
  File "/usr/lib/python3.12/smtplib.py", line 887, in sendmail
    raise SMTPRecipientsRefused(senderrs)
smtplib.SMTPRecipientsRefused: {{'facture-{order}@exemple.fr': (550, b'Boîte aux lettres pleine')}}"#
    ));
    entry
}

/// What `logger.critical(…, exc_info=True)` writes, with one exception on top of another.
fn death(run: u64, order: u64) -> Entry {
    let mut entry = Entry::new(
        "rapport",
        "CRITICAL",
        format!("Arrêt sur erreur imprévue : le rapport n° {run} est incomplet"),
    );
    entry.traceback = Some(format!(
        r#"Traceback (most recent call last):
  File "/opt/rapport/total.py", line 41, in moyenne
    return total / nombre
           ~~~~~~^~~~~~~~
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/opt/rapport/rapport.py", line 203, in <module>
    principal()
  File "/opt/rapport/rapport.py", line 187, in principal
    raise RapportIncomplet("arrêté à la commande n° {order}") from None
rapport.RapportIncomplet: arrêté à la commande n° {order}"#
    ));
    entry
}

fn pick<'a>(names: &[&'a str], number: u64) -> &'a str {
    let index = usize::try_from(number).unwrap_or_default() % names.len();
    names[index]
}

impl Entry {
    fn new(logger: &'static str, level: &'static str, message: String) -> Self {
        Self {
            logger,
            level,
            message,
            traceback: None,
        }
    }

    /// The lines, each without its newline, as they are logged at so many milliseconds since
    /// 1970.
    pub(super) fn lines(&self, at_ms: u64) -> impl Iterator<Item = String> {
        let head = format!(
            "{} - {} - {} - {}",
            asctime(at_ms),
            self.logger,
            self.level,
            self.message
        );
        let rest = self.traceback.iter().flat_map(|text| text.split('\n'));
        std::iter::once(head).chain(rest.map(str::to_owned))
    }
}

/// As Python writes `%(asctime)s`: `2026-11-22 22:08:23,702`. In UTC.
fn asctime(at_ms: u64) -> String {
    let (year, month, day) = date(at_ms);
    let of_day = at_ms / 1000 % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02},{:03}",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
        at_ms % 1000
    )
}

/// The name of the log file that the script writes on that day.
pub(super) fn file_name(at_ms: u64) -> String {
    let (year, month, day) = date(at_ms);
    format!("report_{year:04}{month:02}{day:02}.log")
}

/// Year, month and day. Counts from March, so that the leap day is the last of its year.
fn date(at_ms: u64) -> (u64, u64, u64) {
    let days = at_ms / 86_400_000 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn text(entries: &[Entry]) -> Vec<String> {
        let at = 1_795_385_303_702;
        entries.iter().flat_map(|entry| entry.lines(at)).collect()
    }

    #[test]
    fn a_line_has_the_format_of_python_logging() {
        let log = text(&Script::new().run(2, Fate::Well));
        let expected = [
            "2026-11-22 22:08:23,702 - rapport - INFO - Démarrage du rapport quotidien, passage n° 1",
            "2026-11-22 22:08:23,702 - rapport.sources - DEBUG - Connexion à la base « commandes » établie en 18 ms",
            "2026-11-22 22:08:23,702 - rapport.commandes - INFO - Commande n° 48211 intégrée : Pâtisserie Garçon, 563,04 €",
        ];
        assert_eq!(log[..3], expected);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (at_ms, expected) in [
            (0, "1970-01-01 00:00:00,000"),
            (951_782_400_000, "2000-02-29 00:00:00,000"),
            (1_798_761_599_999, "2026-12-31 23:59:59,999"),
            (1_798_761_600_000, "2027-01-01 00:00:00,000"),
            (4_107_542_400_000, "2100-03-01 00:00:00,000"),
        ] {
            assert_eq!(asctime(at_ms), expected);
        }
        assert_eq!(file_name(1_795_385_303_702), "report_20261122.log");
    }

    #[test]
    fn a_run_that_stumbles_goes_on_and_one_that_dies_does_not() {
        let mut script = Script::new();
        let stumbled = text(&script.run(20, Fate::Stumbles));
        let died = text(&script.run(20, Fate::Dies));
        let count = |log: &[String], part: &str| log.iter().filter(|l| l.contains(part)).count();
        assert_eq!(count(&stumbled, " - ERROR - "), 1);
        assert_eq!(count(&stumbled, "Traceback"), 1);
        assert!(stumbled.last().unwrap().contains("Rapport n° 1 terminé"));
        assert_eq!(count(&died, " - CRITICAL - "), 1);
        assert_eq!(count(&died, "Traceback"), 2);
        assert_eq!(count(&died, "terminé"), 0);
        assert!(died.last().unwrap().starts_with("rapport.RapportIncomplet"));
        assert!(died.contains(&String::new()), "chained by empty lines");
    }

    #[test]
    fn every_line_with_a_head_is_there_once_only() {
        let mut script = Script::new();
        let mut log = text(&script.run(300, Fate::Stumbles));
        log.extend(text(&script.run(300, Fate::Dies)));
        log.extend(text(&script.run(300, Fate::Well)));
        let heads: Vec<_> = log.iter().filter(|line| line.contains(" - ")).collect();
        let distinct: HashSet<_> = heads.iter().collect();
        assert_eq!(distinct.len(), heads.len());
        assert!(log.iter().all(|line| !line.contains('\n')));
    }
}
