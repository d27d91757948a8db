//! `/api/v1/people` and `/api/v1/people/{person}`: the people behind the ids in the logbook, for admins; erases
//! somebody.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{caller, line, next_page, parsed, problem};
use crate::domain::names::Role;
use crate::domain::people::{People, Person, PersonId};
use crate::process::decision::Answer;
use crate::process::input::Ask;
use crate::process::trouble::Trouble;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// People in one response, by default.
const AT_ONCE: usize = 100;
const MOST: usize = 1_000;

/// Somebody in the register.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonBody {
    /// Their id in the logbook.
    pub id: String,
    /// Who they are: a token's actor, or a webhook and the tracker's user. Missing if they were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// When they first did something.
    pub since: String,
}

/// Which people.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct PeopleQuery {
    /// Only those after this id; taken from the link to the next page.
    pub after: Option<String>,
    /// How many at most; 100 by default, no more than 1,000.
    pub limit: Option<usize>,
}

/// A request to erase somebody.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseBody {
    /// Why; recorded in the logbook, so it must not name the person.
    pub reason: String,
}

/// The result of erasing somebody.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErasedBody {
    /// Their id in the logbook.
    pub id: String,
    /// Whether they are gone from the register; if not, they will be as soon as it can be written.
    pub erased: bool,
}

/// Everybody in the register, by id, a page at a time: `Link: <...>; rel="next"` leads to the next one.
#[utoipa::path(get, path = "/api/v1/people", tag = "people", params(PeopleQuery), security(("token" = [])),
    responses((status = 200, description = "A page of people", body = Vec<PersonBody>), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn people(
    State(context): State<Context>,
    Query(query): Query<PeopleQuery>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<(HeaderMap, Json<Vec<PersonBody>>), Problem> {
    let caller = caller(&context, client, &headers).await?;
    if !caller.may(&[Role::ADMIN], None) {
        let why = format!("{} may not see who is in the register; the role admin may", caller.who);
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", why));
    }
    let after: Option<PersonId> = query.after.as_deref().map(parsed).transpose()?;
    let limit = query.limit.unwrap_or(AT_ONCE).clamp(1, MOST);
    let (page, next) = page(&context.engine.shared().read().people, after, limit);
    Ok((next_page(next), Json(page)))
}

/// This many people after an id, and where the next page is.
fn page(people: &People, after: Option<PersonId>, limit: usize) -> (Vec<PersonBody>, Option<String>) {
    let mut rest = people.after(after);
    let page: Vec<PersonBody> = rest.by_ref().take(limit).map(|(id, person)| body(id, person)).collect();
    let last = page.last().filter(|_| rest.next().is_some());
    let next = last.map(|last| format!("/api/v1/people?limit={limit}&after={}", last.id));
    (page, next)
}

/// Erases somebody: the logbook keeps the id, and nobody can tell any more who that was.
#[utoipa::path(delete, path = "/api/v1/people/{person}", tag = "people", request_body = EraseBody, security(("token" = [])),
    params(("person" = String, Path, description = "The id, or the identity")),
    responses((status = 200, description = "Erased", body = ErasedBody),
        (status = 202, description = "Recorded; the register loses them as soon as it can be written", body = ErasedBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "Erased already", body = Problem),
        (status = 413, body = Problem), (status = 422, description = "No reason was given", body = Problem),
        (status = 503, body = Problem)))]
pub async fn erase(
    State(context): State<Context>,
    Path(person): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<EraseBody>, Problem>,
) -> Result<(StatusCode, Json<ErasedBody>), Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    line("reason", &asked.reason)?;
    match context.engine.ask(caller, Ask::Erase { person, reason: asked.reason }).await? {
        Answer::Erased(id) => {
            let erased = !context.engine.shared().read().troubles.contains_key(&Trouble::People);
            let status = if erased { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok((status, Json(ErasedBody { id: id.to_string(), erased })))
        }
        other => Err(problem(other)),
    }
}

fn body(id: PersonId, person: &Person) -> PersonBody {
    PersonBody {
        id: id.to_string(),
        who: person.identity.as_ref().map(ToString::to_string),
        since: person.seen.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::Actor;

    #[test]
    fn the_pages_of_the_register_have_everybody_once() {
        let mut people = People::default();
        for digits in 0..25 {
            let identity = (digits % 5 > 0).then(|| Actor::recorded(&format!("rt:user{digits}")));
            people.put(PersonId::new(digits * 1_000), Person { identity, seen: jiff::Timestamp::UNIX_EPOCH });
        }
        for limit in [1, 7, 24, 25, 100] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let (some, next) = page(&people, after, limit);
                assert!(!some.is_empty() && some.len() <= limit);
                found.extend(some);
                let Some(next) = next else { break };
                let (start, id) = next.rsplit_once("&after=").expect("it goes on somewhere");
                assert_eq!(start, format!("/api/v1/people?limit={limit}"));
                after = PersonId::read(id);
            }
            let known = found.iter().filter(|person| person.who.is_some()).count();
            assert_eq!((found.len(), known), (25, 20), "{limit} at once");
            assert!(found.is_sorted_by(|a, b| a.id < b.id));
        }
        assert_eq!(page(&People::default(), None, 5).0.len(), 0);
    }
}
