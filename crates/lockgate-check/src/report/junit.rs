//! JUnit XML: a suite for each rule, a failing case for each violation.

use lockgate_core::{Failure, Result};
use quick_junit::{NonSuccessKind, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use super::Report;
use crate::rules::Answer;

pub fn junit(report: &Report<'_>) -> Result<String> {
    let mut xml = Xml::new("lockgate check");
    for rule in &report.bundle.rules {
        let mut suite = TestSuite::new(rule.id.as_str());
        let mut any = false;
        for finding in report.findings.iter().filter(|f| f.rule == rule.id && f.accepted.is_none()) {
            if finding.answer == Answer::Unresolved && !report.strict {
                continue;
            }
            any = true;
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let message = format!("{}:{}: {}", finding.file, finding.line, finding.message);
            status.set_message(message).set_type(rule.id.as_str()).set_description(rule.fix.as_str());
            suite.add_test_case(TestCase::new(format!("{}:{}", finding.file, finding.line), status));
        }
        if !any {
            suite.add_test_case(TestCase::new(rule.title.as_str(), TestCaseStatus::success()));
        }
        xml.add_test_suite(suite);
    }
    xml.to_string().map_err(|e| Failure::bug(format!("the report is no XML: {e}")))
}
