//! File names as people choose them.

use proptest::prelude::*;

use super::*;
use crate::domain::naming::title::Title;
use crate::domain::naming::{subject, team};

fn team() -> TeamName {
    "ea-NGI_IT-INFN-T1".parse().expect("a team")
}

fn subject(title: &str) -> Subject {
    title.parse::<Title>().expect("a title").subject
}

fn dpm() -> Subject {
    subject("Staged Rollout EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64")
}

#[test]
fn names_have_the_form_of_the_procedure() {
    let report = |subject: &Subject| ReportFile::new(Author::Team(team()), subject).to_string();
    assert_eq!(report(&dpm()), "ea-NGI_IT-INFN-T1-EMI-SE-DPM_mysql-1.8.0-1.odt");
    assert_eq!(report(&subject("Staged Rollout CA 1.38")), "ea-NGI_IT-INFN-T1-CA-1.38.odt");
    assert_eq!(ReportFile::new(Author::Manager, &dpm()).to_string(), "summary-EMI-SE-DPM_mysql-1.8.0-1.odt");
}

#[test]
fn three_formats_and_the_major_version_are_accepted() {
    for (name, format) in [
        ("ea-NGI_IT-INFN-T1-EMI-SE-DPM_mysql-1.8.0-1.odt", Format::Odt),
        ("ea-NGI_IT-INFN-T1-EMI-SE-DPM_mysql-1.8.0-1.doc", Format::Doc),
        ("EA-NGI_IT-infn-t1-EMI-1.0-SE-DPM_mysql-1.8.0-1.DOCX", Format::Docx),
    ] {
        assert_eq!(ReportFile::check(name, &team(), &dpm()).expect("right").format(), format);
    }
    assert!(ReportFile::check_summary("summary-EMI-SE-DPM_mysql-1.8.0-1.doc", &dpm()).is_ok());
}

#[test]
fn a_wrong_name_is_explained_and_the_right_one_given() {
    for (name, why) in [
        ("", "it must end with .doc, .docx or .odt"),
        ("ea-NGI_IT-INFN-T1-EMI-SE-DPM_mysql-1.8.0-1.pdf", "it must end with .doc, .docx or .odt"),
        ("../ea-NGI_IT-INFN-T1-EMI-SE-DPM_mysql-1.8.0-1.odt", "it has a slash"),
        ("ea-NGI_IT\\x.odt", "it has a slash"),
        ("ea-NGI_IT-INFN-T1\n.odt", "it has a control character"),
        ("report.odt", "the team `ea-NGI_IT-INFN-T1` must come first"),
        ("ea-NGI_IT-INFN-T1.odt", "the stack `EMI` is missing at the end"),
        ("ea-NGI_IT-INFN-T1-SE-DPM_mysql-1.8.0-1.odt", "the stack `EMI` must come where `SE-DPM_mysql-1.8.0-1` begins"),
        (
            "ea-NGI_IT-INFN-T1-EMI-SE-DPM-1.8.0-1.odt",
            "the component `SE-DPM_mysql` must come where `SE-DPM-1.8.0-1` begins",
        ),
        ("ea-NGI_IT-INFN-T1-EMI-SE-DPM_mysql-1.8.0.odt", "the version `1.8.0-1` must come where `1.8.0` begins"),
        ("ea-NGI_IT-INFN-T1-EMI-SE-DPM_mysql-1.8.0-1-new.odt", "it continues after the version with `-new`"),
        (&"é".repeat(200), "it is longer than 255 bytes"),
    ] {
        let wrong = ReportFile::check(name, &team(), &dpm()).expect_err(name);
        assert_eq!((wrong.why.as_str(), wrong.right.as_str()), (why, "ea-NGI_IT-INFN-T1-EMI-SE-DPM_mysql-1.8.0-1.odt"));
    }
    let wrong = ReportFile::check_summary("report.odt", &subject("Staged Rollout CA 1.38")).expect_err("wrong");
    assert_eq!(
        wrong.to_string(),
        "`report.odt` is not the right file name: the word `summary` must come first; it should be \
         `summary-CA-1.38.odt` (or .doc or .docx)"
    );
}

proptest! {
    #[test]
    fn a_name_is_read_as_it_was_written(team in team::any::team(), subject in subject::any::subject()) {
        for format in Format::ALL {
            let report = ReportFile { format, ..ReportFile::new(Author::Team(team.clone()), &subject) };
            prop_assert_eq!(ReportFile::check(&report.to_string(), &team, &subject), Ok(report));
            let summary = ReportFile { format, ..ReportFile::new(Author::Manager, &subject) };
            prop_assert_eq!(ReportFile::check_summary(&summary.to_string(), &subject), Ok(summary));
        }
    }

    #[test]
    fn any_text_is_the_name_or_an_error(tail in "(?s).{0,60}|-EMI[-A-Za-z0-9_.]{0,30}\\.(doc|odt)") {
        for name in [tail.clone(), format!("ea-NGI_IT-INFN-T1{tail}")] {
            if let Ok(file) = ReportFile::check(&name, &team(), &dpm()) {
                prop_assert_eq!(file.author(), &Author::Team(team()));
            }
        }
    }
}
