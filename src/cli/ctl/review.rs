//! `rolloutctl review`: what was released, looked at afterwards by those who use it.

use std::fmt::Write as _;

use super::ask::{escape, recorded};
use super::words::{ago, document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::reviews::{AnswerReviewBody, ReviewBody};

/// Lists, shows and answers reviews of what was released, and of emergencies
///
/// Two questions are asked: were release notes and documentation sufficient, and does it work as expected? A review is
/// overdue if nobody has answered in time.
///
/// Example: rolloutctl review answer 3 --documented yes --works no --note "it needs twice the memory"
#[derive(Debug, clap::Args)]
pub struct ReviewArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists reviews, unanswered ones first, by due date
    ///
    /// Example: rolloutctl review list --open
    List {
        /// Only those that nobody has answered
        #[arg(long)]
        open: bool,
        /// Only those of this rollout
        #[arg(long)]
        rollout: Option<String>,
    },
    /// Shows one review: what is asked, and what people answered
    ///
    /// Example: rolloutctl review show 3
    Show {
        /// Its number
        review: u64,
    },
    /// Answers a review; you may change your mind
    ///
    /// Example: rolloutctl review answer 3 --documented yes --works yes
    Answer {
        /// Its number
        review: u64,
        /// Were release notes and documentation sufficient?
        #[arg(long)]
        documented: Answer,
        /// Is it working as expected?
        #[arg(long)]
        works: Answer,
        /// Anything else, such as what was missing
        #[arg(long, default_value = "")]
        note: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Answer {
    Yes,
    No,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: ReviewArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    match args.what {
        What::List { open, rollout } => {
            let mut path = format!("/api/v1/reviews?open={open}");
            if let Some(rollout) = rollout {
                let _ = write!(path, "&rollout={}", escape(&rollout));
            }
            let reviews: Vec<ReviewBody> = client.get(&path).await?;
            Ok(Outcome::done(if json { document(&reviews) } else { list(&reviews, table::width()) }))
        }
        What::Show { review } => {
            let review: ReviewBody = client.get(&format!("/api/v1/reviews/{review}")).await?;
            Ok(Outcome::done(if json { document(&review) } else { show(&review) }))
        }
        What::Answer { review, documented, works, note } => {
            let body = AnswerReviewBody { documented: documented == Answer::Yes, works: works == Answer::Yes, note };
            Ok(recorded(&client.post(&format!("/api/v1/reviews/{review}/answers"), &body).await?, json))
        }
    }
}

/// What it is about, in a word or two.
fn about(review: &ReviewBody) -> String {
    let both = [&review.rollout, &review.change];
    both.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What all of its answers say.
fn answers(review: &ReviewBody) -> String {
    let number =
        |is: fn(&crate::web::api::reviews::ReviewAnswerBody) -> bool| review.answers.iter().filter(|a| is(a)).count();
    match review.answers.len() {
        0 => String::new(),
        all => format!("documented {}/{all}, works {}/{all}", number(|a| a.documented), number(|a| a.works)),
    }
}

fn list(reviews: &[ReviewBody], width: usize) -> String {
    if reviews.is_empty() {
        return "There are no such reviews.\n".to_owned();
    }
    let row = |review: &ReviewBody| {
        // What is late is what one looks for.
        let standing = if review.standing == "overdue" { "OVERDUE".to_owned() } else { review.standing.clone() };
        let number = review.review.to_string();
        vec![number, standing, ago(&review.due), review.cause.clone(), about(review), answers(review)]
    };
    let rows: Vec<_> = reviews.iter().map(row).collect();
    table::lay_out(&["REVIEW", "STANDING", "DUE", "CAUSE", "OF", "ANSWERS"], &rows, width)
}

fn show(review: &ReviewBody) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "review    {} ({})", review.review, review.cause);
    if let Some(rollout) = &review.rollout {
        let _ = writeln!(text, "rollout   {rollout}");
    }
    if let Some(change) = &review.change {
        let _ = writeln!(text, "change    {change}");
    }
    let _ =
        writeln!(text, "standing  {}, opened {}, due {}", review.standing, moment(&review.opened), moment(&review.due));
    for question in &review.questions {
        let _ = writeln!(text, "question  {question}");
    }
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    for answer in &review.answers {
        let note = if answer.note.is_empty() { String::new() } else { format!(": {}", answer.note) };
        let (documented, works) = (yes(answer.documented), yes(answer.works));
        let _ = writeln!(text, "answer    {} {}: {documented}, {works}{note}", moment(&answer.at), answer.by);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::review::QUESTIONS;
    use crate::web::api::reviews::ReviewAnswerBody;

    fn review(number: u64, standing: &str) -> ReviewBody {
        let at = || "2026-11-29T09:00:00Z".to_owned();
        let answer = |by: &str, works: bool, note: &str| ReviewAnswerBody {
            by: by.into(),
            at: at(),
            documented: true,
            works,
            note: note.into(),
        };
        let answers = vec![answer("joe", true, ""), answer("ann", false, "it needs twice the memory")];
        let is_emergency = standing == "overdue";
        ReviewBody {
            review: number,
            cause: if is_emergency { "emergency".into() } else { "release".into() },
            rollout: Some("rt-1234".into()),
            change: is_emergency.then(|| "rt-4713".into()),
            opened: at(),
            due: "2026-12-06T09:00:00Z".into(),
            standing: standing.into(),
            questions: QUESTIONS.map(str::to_owned).into(),
            answers: if standing == "answered" { answers } else { vec![] },
        }
    }

    #[test]
    fn reviews_are_listed() {
        let all = [review(2, "overdue"), review(3, "open"), review(1, "answered")];
        insta::assert_snapshot!(list(&all, 120));
        insta::assert_snapshot!(list(&[], 120));
    }

    #[test]
    fn a_review_is_shown() {
        insta::assert_snapshot!(show(&review(1, "answered")) + "\n" + &show(&review(2, "overdue")));
    }
}
