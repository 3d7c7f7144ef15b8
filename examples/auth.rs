//! JWTs and API keys, verified by a middleware that tells the metrics whose request it is. The metrics know them as hashes only.
//!
//! ```text
//! cargo run --example auth    serves on 127.0.0.1:3000, or on another ADDR
//! ```
//!
//! Secrets come from the environment, or are made up at every start:
//! - `JWT_SECRET` signs the tokens.
//! - `ID_SECRET` keys the hashes of IDs, at least 16 bytes. As long as it stays, a user has the same hash after a restart and everywhere.
//! - `API_KEYS` gives the keys, each with the ID that may be told: `ID=KEY,ID=KEY`.

use std::{collections::HashMap, env, error::Error, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, crypto, decode, encode, get_current_timestamp};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower_vitals::{AuthType, IdHasher, MetricsLayer, MetricsRoute, Principal, PrincipalIds, Vitals};

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

struct Auth {
    signs: EncodingKey,
    verifies: DecodingKey,
    looks_up: EncodingKey,
    /// IDs of API keys by the MAC of the key. Who tries keys cannot choose the MAC, so how long a look-up takes tells nothing.
    key_ids: HashMap<String, String>,
}

impl Auth {
    fn new(secret: &str, api_keys: &str) -> Result<Self, Box<dyn Error>> {
        let mut auth = Self {
            signs: EncodingKey::from_secret(secret.as_bytes()),
            verifies: DecodingKey::from_secret(secret.as_bytes()),
            looks_up: EncodingKey::from_secret(random()?.as_bytes()),
            key_ids: HashMap::new(),
        };
        for pair in api_keys.split(',').filter(|pair| !pair.is_empty()) {
            let pair = pair.split_once('=').filter(|(_, key)| !key.is_empty());
            let (id, key) = pair.ok_or("API_KEYS is ID=KEY,ID=KEY")?;
            auth.key_ids.insert(auth.mac(key.as_bytes())?, id.to_owned());
        }
        Ok(auth)
    }

    fn mac(&self, key: &[u8]) -> jsonwebtoken::errors::Result<String> {
        crypto::sign(key, &self.looks_up, Algorithm::HS256)
    }

    /// Verifies who asks, and tells the layer around. What is not verified is never told.
    fn admits(&self, headers: &HeaderMap) -> Option<()> {
        if let Some(key) = headers.get("x-api-key") {
            let id = self.key_ids.get(&self.mac(key.as_bytes()).ok()?)?;
            Principal::new(AuthType::ApiKey).api_key(id).record();
            return Some(());
        }
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let token = decode::<Claims>(token, &self.verifies, &Validation::new(Algorithm::HS256)).ok()?;
        Principal::new(AuthType::Jwt).user(&token.claims.sub).record();
        Some(())
    }
}

async fn authenticate(State(auth): State<Arc<Auth>>, request: Request, next: Next) -> Response {
    match auth.admits(request.headers()) {
        Some(()) => next.run(request).await,
        None => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
    }
}

/// A token for an hour. A real one would ask for a password.
async fn token(State(auth): State<Arc<Auth>>) -> Result<String, StatusCode> {
    let (sub, exp) = ("alice".to_owned(), get_current_timestamp() + 3600);
    encode(&Header::default(), &Claims { sub, exp }, &auth.signs).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn secret(name: &str) -> Result<String, getrandom::Error> {
    let secret = env::var(name).ok().filter(|secret| !secret.is_empty());
    secret.map_or_else(random, Ok)
}

fn random() -> Result<String, getrandom::Error> {
    Ok(format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let vitals = Vitals::new();
    let ids = PrincipalIds::new(IdHasher::keyed(secret("ID_SECRET")?)?);
    let layer = MetricsLayer::builder(&vitals).principal_ids(ids).build()?;
    let demo = random()?;
    let api_keys = env::var("API_KEYS").unwrap_or_else(|_| format!("demo={demo}"));
    let auth = Arc::new(Auth::new(&secret("JWT_SECRET")?, &api_keys)?);
    let app = Router::new()
        .route("/me", get(|| async { "hello\n" }))
        .route_layer(from_fn_with_state(Arc::clone(&auth), authenticate))
        .route("/token", get(token))
        .with_state(auth)
        .layer(layer)
        .route_service("/metrics", MetricsRoute::new(&vitals));
    let listener = TcpListener::bind(env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into())).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("curl -H \"authorization: Bearer $(curl -s {url}/token)\" {url}/me");
    println!("curl -H 'x-api-key: {demo}' {url}/me    unless there are API_KEYS");
    println!("curl {url}/metrics    Ctrl-C stops");
    Ok(axum::serve(listener, app).await?)
}
