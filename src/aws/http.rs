//! One HTTP client for all sessions of a run. Left to itself the SDK makes one for each service of each account: with each
//! come a parsed set of root certificates and connections of its own to the same hosts.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::ConnectorBuilder;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared;

/// The client of this process: TLS and proxies as the SDK has them by default.
pub(super) fn client() -> SharedHttpClient {
    static CLIENT: OnceLock<SharedHttpClient> = OnceLock::new();
    CLIENT.get_or_init(|| Connectors::default().into_shared()).clone()
}

/// Timeouts to connect and to read, by which connectors differ: those of credentials are shorter.
type Timeouts = (Option<Duration>, Option<Duration>);

#[derive(Debug, Default)]
struct Connectors {
    by_timeouts: Mutex<HashMap<Timeouts, SharedHttpConnector>>,
}

impl HttpClient for Connectors {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let mut known = self.by_timeouts.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = known.entry((settings.connect_timeout(), settings.read_timeout())).or_insert_with(|| {
            let mut builder = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            builder.set_connector_settings(Some(settings.clone()));
            builder.set_sleep_impl(components.sleep_impl());
            builder.set_proxy_config(Some(ProxyConfig::from_env()));
            builder.build().into_shared()
        });
        connector.clone()
    }
}
