//! Requests by method and path.

use http::header::{ALLOW, HeaderValue};
use http::{Method, StatusCode};

use super::message::{Answer, Intake, Request, RequestId, Response};
use super::server::Handler;
use crate::proto::http::RequestHead;

type Route = Box<dyn FnMut(RequestId, Request) -> Answer + Send>;

/// A handler that finds another one by method and path.
///
/// A pattern is a path; a segment `:name` stands for any one segment, a last segment `*` for all
/// the rest. The first route that fits counts. A path that only other methods have is answered
/// with 405 and `Allow`, an unknown one with 404. HEAD is answered as GET where it has no route of its
/// own; the body is left out by the connection.
///
/// ```
/// use hio::proto::http::{Answer, Request, RequestId, Response, Router};
/// let router = Router::new().get("/hello/:name", |_id: RequestId, request: Request| {
///     let name = request.head.target.path().rsplit('/').next().unwrap_or_default().to_owned();
///     Answer::Now(Response::ok("text/plain", name))
/// });
/// assert_eq!(router.len(), 1);
/// ```
#[derive(Default)]
pub struct Router {
    routes: Vec<(Option<Method>, String, Route)>,
    /// Paths whose bodies are handed over piece by piece.
    streaming: Vec<String>,
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let routes = self.routes.iter().map(|(method, path, _)| (method, path));
        f.debug_list().entries(routes).finish()
    }
}

impl Router {
    /// One without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers a method on a path.
    #[must_use]
    pub fn on(
        mut self,
        method: Method,
        path: &str,
        route: impl FnMut(RequestId, Request) -> Answer + Send + 'static,
    ) -> Self {
        self.routes
            .push((Some(method), path.to_owned(), Box::new(route)));
        self
    }

    /// Answers every method on a path.
    #[must_use]
    pub fn any(
        mut self,
        path: &str,
        route: impl FnMut(RequestId, Request) -> Answer + Send + 'static,
    ) -> Self {
        self.routes.push((None, path.to_owned(), Box::new(route)));
        self
    }

    /// Answers GET, and HEAD, on a path.
    #[must_use]
    pub fn get(
        self,
        path: &str,
        route: impl FnMut(RequestId, Request) -> Answer + Send + 'static,
    ) -> Self {
        self.on(Method::GET, path, route)
    }

    /// Answers POST on a path.
    #[must_use]
    pub fn post(
        self,
        path: &str,
        route: impl FnMut(RequestId, Request) -> Answer + Send + 'static,
    ) -> Self {
        self.on(Method::POST, path, route)
    }

    /// Hands the bodies of requests to a path over piece by piece.
    #[must_use]
    pub fn streaming(mut self, path: &str) -> Self {
        self.streaming.push(path.to_owned());
        self
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    fn find(&self, method: &Method, path: &str) -> Option<usize> {
        let takes = |known: &Option<Method>, method: &Method| match known {
            None => true,
            Some(known) => known == method,
        };
        let find = |method: &Method| {
            let mut routes = self.routes.iter();
            routes.position(|(known, pattern, _)| takes(known, method) && fits(pattern, path))
        };
        find(method).or_else(|| (*method == Method::HEAD).then(|| find(&Method::GET))?)
    }

    /// The methods that a path has, for `Allow`.
    fn allowed(&self, path: &str) -> Vec<&str> {
        let fitting = self
            .routes
            .iter()
            .filter(|(_, pattern, _)| fits(pattern, path));
        let methods = fitting.filter_map(|(method, ..)| method.as_ref());
        let mut all: Vec<&str> = methods.map(Method::as_str).collect();
        if all.contains(&"GET") {
            all.push("HEAD");
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Handler for Router {
    fn head(&mut self, _: RequestId, head: &RequestHead) -> Intake {
        let path = head.target.path();
        match self.streaming.iter().any(|pattern| fits(pattern, path)) {
            true => Intake::Stream,
            false => Intake::Collect,
        }
    }

    fn request(&mut self, id: RequestId, request: Request) -> Answer {
        let path = request.head.target.path();
        if let Some(nth) = self.find(&request.head.method, path) {
            return (self.routes[nth].2)(id, request);
        }
        let allowed = self.allowed(path);
        if allowed.is_empty() {
            return Answer::Now(Response::status(StatusCode::NOT_FOUND));
        }
        let response = Response::status(StatusCode::METHOD_NOT_ALLOWED);
        Answer::Now(match HeaderValue::from_str(&allowed.join(", ")) {
            Ok(value) => response.with(ALLOW, value),
            Err(_) => response,
        })
    }
}

/// Whether a path is of a pattern.
fn fits(pattern: &str, path: &str) -> bool {
    let mut wanted = pattern.split('/');
    let mut given = path.split('/');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => return true,
            (Some(name), Some(segment)) if name.starts_with(':') && !segment.is_empty() => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, path, wanted) in [
            ("/a", "/a", true),
            ("/a", "/a/", false),
            ("/a", "/b", false),
            ("/a/:x", "/a/b", true),
            ("/a/:x", "/a/", false),
            ("/a/:x", "/a/b/c", false),
            ("/a/:x/c", "/a/b/c", true),
            ("/a/*", "/a/", true),
            ("/a/*", "/a/b/c", true),
            ("/a/*", "/a", false),
            ("/*", "/", true),
        ] {
            assert_eq!(fits(pattern, path), wanted, "{pattern} {path}");
        }
    }
}
