//! What handlers answer with when they cannot.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// The body of every answer that is no success.
#[derive(Debug, Serialize, Deserialize)]
pub struct Problem {
    /// For people.
    pub problem: String,
}

/// Why a request failed.
#[derive(Debug)]
pub enum Failure {
    /// The client's mistake: asking again will not help.
    Refused(StatusCode, &'static str),
    /// Ours: it may have taken effect, and asking again may help.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, problem) = match self {
            Self::Refused(status, problem) => (status, problem.to_owned()),
            Self::Database(error) => {
                tracing::error!(%error, "a request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        };
        (status, Json(Problem { problem })).into_response()
    }
}
