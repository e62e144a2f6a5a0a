//! What a column holds, by the words of its name and some of its values.

use std::{borrow::Cow, collections::HashSet};

use lockgate_detect::{Entity, Holds, SAMPLE_VALUES, spaced};

use crate::{
    lexicon::Lexicon,
    street,
    words::{Word, words},
};

/// From so many values on they tell by themselves.
const TELLING: usize = 40;
/// No value that is one thing is longer, in bytes.
const VALUE_BYTES_MAX: usize = 200;

/// A name of a person by itself, in seven languages.
const PERSON: [&str; 33] = [
    "surname",
    "lastname",
    "firstname",
    "fullname",
    "forename",
    "maidenname",
    "middlename",
    "fname",
    "lname",
    "nachname",
    "vorname",
    "familienname",
    "prenom",
    "apellido",
    "apellidos",
    "cognome",
    "nominativo",
    "achternaam",
    "voornaam",
    "sobrenome",
    "applicant",
    "patient",
    "employee",
    "customer",
    "passenger",
    "guest",
    "cardholder",
    "beneficiary",
    "signatory",
    "spouse",
    "guardian",
    "tenant",
    "doctor",
];
/// A name of whatever the words beside it say.
const NAME: [&str; 7] = ["name", "names", "nom", "nombre", "nome", "naam", "noms"];
/// With one of these it is no person's.
const THINGS: [&str; 46] = [
    "file",
    "filename",
    "product",
    "brand",
    "host",
    "hostname",
    "user",
    "username",
    "column",
    "table",
    "event",
    "class",
    "domain",
    "app",
    "application",
    "project",
    "model",
    "school",
    "course",
    "category",
    "type",
    "status",
    "id",
    "ids",
    "code",
    "number",
    "count",
    "ip",
    "mac",
    "email",
    "mail",
    "url",
    "web",
    "wallet",
    "device",
    "server",
    "bucket",
    "field",
    "key",
    "tag",
    "group",
    "team",
    "item",
    "gene",
    "drug",
    "station",
];
const CITY: [&str; 17] = [
    "city",
    "town",
    "village",
    "county",
    "municipality",
    "hometown",
    "birthplace",
    "stadt",
    "ort",
    "wohnort",
    "ville",
    "commune",
    "ciudad",
    "cidade",
    "citta",
    "comune",
    "woonplaats",
];
const ADDRESS: [&str; 19] = [
    "address",
    "addr",
    "addresses",
    "street",
    "streetaddress",
    "adresse",
    "anschrift",
    "strasse",
    "straße",
    "rue",
    "direccion",
    "domicilio",
    "calle",
    "endereco",
    "morada",
    "indirizzo",
    "adres",
    "straat",
    "domicile",
];
const COMPANY: [&str; 10] = [
    "company",
    "employer",
    "organization",
    "organisation",
    "firma",
    "arbeitgeber",
    "empresa",
    "entreprise",
    "azienda",
    "bedrijf",
];

/// What the name of a column says that it holds.
fn named(name: &str) -> Option<Entity> {
    // Of a path the last key says what the value is.
    let last = name.rsplit(['.', '[', ']']).find(|part| !part.is_empty()).unwrap_or_default();
    let spaced = spaced(last);
    let parts: Vec<Cow<'_, str>> = words(&spaced).into_iter().map(|word| word.plain).collect();
    let has = |list: &[&str]| parts.iter().any(|part| list.contains(&part.as_ref()));
    if has(&THINGS) {
        None
    } else if has(&ADDRESS) {
        Some(Entity::ADDRESS)
    } else if has(&CITY) {
        Some(Entity::LOCATION)
    } else if has(&COMPANY) {
        Some(Entity::ORGANIZATION)
    } else if has(&PERSON) || (has(&NAME) && !has(&["country", "state", "place", "region", "bank", "shop", "store"])) {
        Some(Entity::PERSON)
    } else {
        None
    }
}

pub(crate) fn column(name: &str, values: &[&str]) -> Holds {
    let short = |value: &&str| !value.trim().is_empty() && value.len() <= VALUE_BYTES_MAX;
    let (values, long): (Vec<&str>, Vec<&str>) =
        values.iter().copied().filter(|value| !value.trim().is_empty()).take(SAMPLE_VALUES).partition(short);
    // Of long values there is no need to count words: they are text.
    let all = values.len() + long.len();
    let read: Vec<Vec<Word<'_>>> = values.iter().map(|value| words(value)).collect();
    let share = |fits: &dyn Fn(&str, &[Word<'_>]) -> bool| {
        values.iter().zip(&read).filter(|(value, words)| fits(value, words)).count() as f32 / all.max(1) as f32
    };
    if let Some(entity) = named(name) {
        if all == 0 {
            return Holds::Each(entity, 0.7);
        }
        let fitting = share(&|value, words| fits_words(entity, value, words));
        // A column that says that it holds them is looked at in any case.
        return if fitting >= 0.7 { Holds::Each(entity, 0.5 + 0.4 * fitting) } else { Holds::Text };
    }
    if all < TELLING || !long.is_empty() {
        return Holds::Text;
    }
    let letters = share(&|_, words| words.iter().any(|word| !word.is_number() && word.plain.len() > 1));
    if letters < 0.02 {
        return Holds::Categories;
    }
    let distinct = values.iter().collect::<HashSet<_>>().len();
    let short = share(&|value, words| words.len() <= 4 && value.len() <= 40);
    // A few values again and again, without a name that tells, are categories.
    if short > 0.95 && distinct * 4 <= values.len() {
        return Holds::Categories;
    }
    let people =
        share(&|value, words| fits_words(Entity::PERSON, value, words) && words.iter().any(|w| w.lists.given()));
    if people >= 0.8 && share(&|_, words| words.len() > 1) >= 0.8 {
        return Holds::Each(Entity::PERSON, 0.4 + 0.4 * people);
    }
    // Codes, addresses of mail and pages, identifiers.
    let known = share(&|_, words| words.iter().any(|word| word.lists.name()));
    if share(&|value, _| !value.trim().contains(char::is_whitespace)) > 0.95 && known < 0.5 {
        return Holds::Categories;
    }
    Holds::Text
}

/// A sentence, or at least more than a category.
pub(crate) fn is_sentence(value: &str) -> bool {
    value.split_whitespace().nth(4).is_some()
}

/// The value is one thing of this kind, as a column's name says.
pub(crate) fn fits(entity: Entity, value: &str) -> bool {
    value.len() <= VALUE_BYTES_MAX && fits_words(entity, value, &words(value))
}

fn fits_words(entity: Entity, value: &str, words: &[Word<'_>]) -> bool {
    let signs =
        |allowed: &[char]| value.chars().all(|c| c.is_alphabetic() || c.is_whitespace() || allowed.contains(&c));
    if !words.iter().any(|word| !word.is_number() && word.plain.chars().count() > 1) {
        return false;
    }
    match entity {
        Entity::PERSON => {
            let one = words.iter().any(|word| word.lists.name() || !word.lists.common());
            words.len() <= 6 && one && signs(&['.', ',', '\'', '’', '-'])
        }
        Entity::LOCATION => {
            words.len() <= 6 && signs(&['.', ',', '\'', '’', '-', '(', ')', '/']) && {
                let plain = crate::lexicon::plain(value.trim());
                Lexicon::get().place(&plain).is_some() || words.iter().any(|word| !word.lists.common())
            }
        }
        Entity::ADDRESS => words.iter().any(Word::is_number) || street::tells_of_street(words),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEOPLE: [&str; 5] = ["Maria Jensen", "Ali Khan", "Chloé Dubois", "John O'Neill", "Anna-Lena Schmidt"];

    fn many<'v>(values: &[&'v str]) -> Vec<&'v str> {
        values.iter().copied().cycle().take(values.len() * 20).collect()
    }

    #[test]
    fn a_name_and_values_that_fit_it_tell() {
        for name in ["name", "full_name", "fullName", "customer name", "Nachname", "patient"] {
            assert!(matches!(column(name, &PEOPLE), Holds::Each(Entity::PERSON, _)), "{name}");
        }
        assert!(matches!(column("city", &["Berlin", "Oslo", "New York"]), Holds::Each(Entity::LOCATION, _)));
        assert!(matches!(column("home_address", &["12 Elm Street", "Via Roma 3"]), Holds::Each(Entity::ADDRESS, _)));
        assert!(matches!(column("employer", &["Acme Inc"]), Holds::Each(Entity::ORGANIZATION, _)));
    }

    #[test]
    fn a_name_whose_values_do_not_fit_tells_nothing() {
        assert_eq!(column("name", &["a-17", "b-99", "c-1"]), Holds::Text);
        assert_eq!(column("ip_address", &["10.0.0.1", "10.0.0.2"]), Holds::Text);
        assert_eq!(column("file_name", &["report.pdf"]), Holds::Text);
        assert_eq!(column("product_name", &["Garden chair"]), Holds::Text);
    }

    #[test]
    fn categories_numbers_and_codes_hold_nothing() {
        assert_eq!(column("native_country", &many(&["United-States", "Mexico", "Cuba"])), Holds::Categories);
        assert_eq!(column("amount", &many(&["12.50", "9.99", "100"])), Holds::Categories);
        let codes: Vec<String> = (0..100).map(|n| format!("SKU-{n}-XK")).collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        assert_eq!(column("sku", &codes), Holds::Categories);
    }

    #[test]
    fn a_column_that_says_so_is_looked_at_whatever_its_first_values_are() {
        assert_eq!(column("full_name", &many(&["n/a", "unknown"])), Holds::Text);
        assert_eq!(column("full_name", &many(&["-"])), Holds::Text);
        assert_eq!(column("customer.name", &["Ada Vrobel"]), Holds::Each(Entity::PERSON, 0.9));
        assert_eq!(column("patient.diagnosis", &[]), Holds::Text);
    }

    #[test]
    fn names_tell_by_themselves() {
        let given = ["Maria", "John", "Anna", "Peter", "Fatima", "Carlos", "Ingrid", "Pierre"];
        let last = ["Jensen", "Smith", "Garcia", "Novak", "Kowalski", "Rossi", "Weber", "Larsson"];
        let people: Vec<String> = given.iter().flat_map(|g| last.iter().map(move |l| format!("{g} {l}"))).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        assert!(matches!(column("x1", &people), Holds::Each(Entity::PERSON, _)));
    }
}
