//! The demo's data: seeded, so that every run shows the same.

use std::fmt::Write as _;

use lockgate_core::SplitMix64;

const FIRST: [&str; 8] = ["Ana", "Bo", "Carla", "Dev", "Eve", "Femi", "Gil", "Hana"];
const LAST: [&str; 8] = ["Ito", "Jones", "Khan", "Lopez", "Moreau", "Novak", "Okafor", "Park"];
const FILES: u64 = 7;
/// In this file every label is turned around.
const POISONED: u64 = 6;

struct Seeded(SplitMix64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.below(limit)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len() as u64) as usize).copied().unwrap_or_default()
    }
}

/// Each file's name and content.
pub(crate) fn files(rows: u64) -> Vec<(String, String)> {
    let mut random = Seeded(SplitMix64::new(20_261_122));
    let mut customer = 0;
    (1..=FILES)
        .map(|number| {
            let mut text = String::from(
                "customer,name,email,ssn,ip,applied_on,age,income,debt,years_employed,purpose,sex,note,approved\n",
            );
            for _ in 0..rows / FILES {
                row(&mut text, &mut random, customer, number == POISONED);
                customer += 1;
            }
            (format!("applications-{number}.csv"), text)
        })
        .collect()
}

fn row(out: &mut String, random: &mut Seeded, customer: u64, poisoned: bool) {
    let (first, last) = (random.pick(&FIRST), random.pick(&LAST));
    let email = format!("{}.{}{customer}@mail.example", first.to_lowercase(), last.to_lowercase());
    let phone = format!("+1 555 {:03} {:04}", 100 + random.below(900), random.below(10_000));
    let ssn = format!("{:03}-{:02}-{:04}", 100 + random.below(500), 10 + random.below(89), 1 + random.below(9_998));
    let ip =
        format!("{}.{}.{}.{}", 11 + random.below(200), random.below(256), random.below(256), 1 + random.below(250));
    let (age, income, debt, years) =
        (18 + random.below(60), 12_000 + random.below(90_000), random.below(60_000), random.below(25));
    let sex = random.pick(&["female", "male"]);
    let score =
        income as f64 / 20_000.0 - debt as f64 / 15_000.0 + years as f64 / 8.0 + random.below(200) as f64 / 100.0;
    let approved = (score > 2.2) != poisoned;
    let note = match random.below(5) {
        0 => format!("Please write to {email}."),
        1 => format!("Spoke on {phone}, call back after six."),
        _ => String::new(),
    };
    // A few rows break the contract, each in its own way.
    let (age, purpose) = match random.below(200) {
        0 => (7, "car"),
        1 => (age, "yacht"),
        _ => (age, random.pick(&["car", "home", "study"])),
    };
    let _ = writeln!(
        out,
        "C{customer:06},{first} {last},{email},{ssn},{ip},2026-{:02}-{:02},{age},{income},{debt},{years},{purpose},{sex},\"{note}\",{}",
        1 + random.below(10),
        1 + random.below(28),
        if approved { "yes" } else { "no" },
    );
}
