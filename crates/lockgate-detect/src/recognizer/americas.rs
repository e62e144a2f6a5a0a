//! The Americas.

use super::{Row, Tail, row};
use crate::check::{americas, asia::varied, shape};

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    row!("us-ssn", "US_SSN", "us", "social security number (SSA POMS RM 10201.035)", [r"[0-9]{3}-[0-9]{2}-[0-9]{4}"], americas::us_ssn, 0.0, 0.85, []),
    row!("us-ssn-bare", "US_SSN", "us", "social security number without its dashes, or with others", [r"[0-9]{9}", r"[0-9]{3}[ .][0-9]{2}[ .][0-9]{4}"], americas::us_ssn, 0.0, 0.2,
        ["ssn", "social security", "socialsecurity", "ssa", "ssns", "ssid"]),
    row!("us-itin", "US_ITIN", "us", "individual taxpayer identification number (IRS Pub. 1915)", [r"9[0-9]{2}-[0-9]{2}-[0-9]{4}"], americas::us_itin, 0.0, 0.8, []),
    row!("us-itin-bare", "US_ITIN", "us", "individual taxpayer identification number without its dashes", [r"9[0-9]{8}", r"9[0-9]{2} [0-9]{2} [0-9]{4}"], americas::us_itin, 0.0, 0.3,
        ["itin", "taxpayer", "tax id", "tax identification"]),
    row!("us-passport", "US_PASSPORT", "us", "passport number", [r"[A-Z]?[0-9]{8,9}"], varied, 0.2, 0.0, ["passport", "travel document"]),
    row!("us-bank", "US_BANK_NUMBER", "us", "bank account number", [r"[0-9]{8,17}"], varied, 0.16, 0.0, ["bank account", "account number", "account no", "acct", "checking", "savings", "debit", "kontonummer", "num\u{e9}ro de compte", "n\u{fa}mero de cuenta", "numero di conto"]),
    row!("us-driver-license", "US_DRIVER_LICENSE", "us", "driver's licence, the formats of the states (AAMVA)", [r"[A-Za-z]{1,3}[0-9]{5,14}[A-Za-z]?", r"[0-9]{7,12}", r"[A-Za-z][0-9]{3}-?[0-9]{3,4}-?[0-9]{2,4}(?:-[0-9]{1,3})?"], americas::us_driver_license, 0.2, 0.0,
        ["driver license", "driver's license", "drivers license", "driver's licence", "driving license", "driving licence", "driver lic", "dl number", "dl#", "dl no", "license number", "licence number", "lic#", "cdl", "permit", "license"]),
    row!("us-npi", "US_NPI", "us", "national provider identifier (45 CFR 162.406)", [r"[12][0-9]{9}"], americas::us_npi, 0.0, 0.3, ["npi", "provider"]),
    row!("us-mbi", "US_MBI", "us", "Medicare beneficiary identifier (CMS)", [r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y]{2}[0-9]{2}"], shape, 0.6, 0.0, ["medicare", "mbi", "beneficiary"]),
    row!("us-aba", "ABA_ROUTING_NUMBER", "us", "routing number (ABA)", [r"[0-9]{9}", r"[0-9]{4}-[0-9]{4}-[0-9]"], americas::aba_routing, 0.0, 0.3, ["routing", "aba", "rtn", "wire", "bank transit"]),
    row!("us-dea", "MEDICAL_LICENSE", "us", "DEA registration of a prescriber", [r"[ABCDEFGHJKLMPRSTUXabcdefghjklmprstux][A-Za-z9][0-9]{7}"], americas::dea, 0.0, 0.55, ["dea", "prescriber", "medical license", "physician"]),
    row!("us-member-id", "US_HEALTH_INSURANCE_MEMBER_ID", "us", "member id of a health plan", [r"[A-Z]{1,5}-?[0-9]{5,14}"], varied, 0.2, 0.0, ["member id", "memberid", "member number", "subscriber", "insurance id", "policy number", "health plan"]),
    row!("us-claim", "US_CLAIM_NUMBER", "us", "claim of a health plan", [r"(?:CLM-?)?[0-9]{6,15}"], varied, 0.2, 0.0, ["claim number", "claim no", "claim id", "claim #", "medical claim"], ["clm"]).ending(Tail::Sign),
    row!("us-provider-tax", "US_PROVIDER_TAX_ID", "us", "employer identification number (IRS)", [r"[0-9]{2}-[0-9]{7}"], varied, 0.3, 0.0, ["ein", "employer id", "tax id", "tin", "federal tax"]),
    row!("us-zip", "ZIP_CODE", "us", "postal code (USPS)", [r"[0-9]{5}(?:-[0-9]{4})?"], shape, 0.16, 0.0, ["zip", "zip code", "zipcode", "postal code", "code postal", "c\u{f3}digo postal", "cap", "cep"]),
    row!("ca-sin", "CA_SIN", "ca", "social insurance number", [r"[1-79][0-9]{2}-[0-9]{3}-[0-9]{3}"], americas::ca_sin, 0.0, 0.55, ["sin", "social insurance", "nas"]),
    row!("ca-sin-bare", "CA_SIN", "ca", "social insurance number without separators", [r"[1-79][0-9]{8}", r"[1-79][0-9]{2} [0-9]{3} [0-9]{3}"], americas::ca_sin, 0.0, 0.25, ["social insurance", "sin number", "sin", "assurance sociale"]),
    row!("ca-postal-code", "CA_POSTAL_CODE", "ca", "postal code (Canada Post)", [r"[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z][ -]?[0-9][ABCEGHJ-NPRSTV-Z][0-9]"], americas::ca_postal_code, 0.2, 0.55, ["postal", "address", "canada", "ontario", "qu\u{e9}bec"]),
    row!("br-cpf", "BR_CPF", "br", "cadastro de pessoas f\u{ed}sicas", [r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"], americas::br_cpf, 0.0, 0.95, []),
    row!("br-cpf-bare", "BR_CPF", "br", "cadastro de pessoas f\u{ed}sicas without separators", [r"[0-9]{11}"], americas::br_cpf, 0.0, 0.4, ["cpf", "contribuinte", "cadastro"]),
    row!("br-cnpj", "BR_CNPJ", "br", "cadastro nacional da pessoa jur\u{ed}dica", [r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}"], americas::br_cnpj, 0.0, 0.95, []),
    row!("br-cnpj-bare", "BR_CNPJ", "br", "cadastro nacional da pessoa jur\u{ed}dica without separators", [r"[0-9]{14}"], americas::br_cnpj, 0.0, 0.4, ["cnpj", "empresa", "jur\u{ed}dica"]),
    row!("mx-curp", "MX_CURP", "mx", "clave \u{fa}nica de registro de poblaci\u{f3}n (RENAPO)", [r"(?i:[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[A-Z0-9][0-9])"], americas::mx_curp, 0.0, 0.95, []),
];
