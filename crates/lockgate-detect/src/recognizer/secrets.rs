//! Keys, tokens and passwords.

use super::{Row, row};
use crate::check::{secrets, shape};

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    row!("private-key", "PRIVATE_KEY", "", "private key (RFC 7468, OpenSSH)",
        [r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=:,.\r\n\\ -]{0,6000}-----END (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----)?"],
        secrets::private_key, 0.0, 1.0, [], ["-----begin"]),
    row!("credentials-in-url", "CREDENTIALS", "", "password in a connection string or URL (RFC 3986, section 3.2.1)", [], shape, 0.0, 1.0, []),
    row!("jwt", "JWT", "", "JSON web token (RFC 7519)", [r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{0,1000}"], secrets::jwt, 0.0, 1.0, [], ["eyj"]),
    row!("aws-access-key", "AWS_ACCESS_KEY", "", "access key id of AWS IAM", [r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"], secrets::aws_access_key, 0.0, 1.0, [], ["akia", "asia", "abia", "acca"]),
    row!("gcp-api-key", "GCP_API_KEY", "", "API key of Google Cloud", [r"AIza[0-9A-Za-z_-]{35}"], secrets::prefixed, 0.0, 1.0, [], ["aiza"]),
    row!("gcp-oauth", "GCP_OAUTH_TOKEN", "", "access token of Google", [r"ya29\.[0-9A-Za-z_-]{20,400}"], secrets::prefixed, 0.0, 0.9, [], ["ya29."]),
    row!("azure-key", "AZURE_STORAGE_KEY", "", "storage account key of Azure", [r"(?i:accountkey=)[A-Za-z0-9+/]{86}=="], secrets::prefixed, 0.0, 1.0, [], ["accountkey="]),
    row!("azure-sas", "AZURE_SAS_TOKEN", "", "signature of a shared access token of Azure", [r"sig=[A-Za-z0-9%+/]{43,64}(?:%3[Dd]|=)"], secrets::prefixed, 0.0, 0.85, [], ["sig="]),
    row!("github-token", "GITHUB_TOKEN", "", "token of GitHub, with CRC-32", [r"gh[pousr]_[A-Za-z0-9]{36,251}"], secrets::crc62, 0.7, 1.0, [], ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"]),
    row!("github-pat", "GITHUB_TOKEN", "", "fine-grained token of GitHub", [r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"], secrets::prefixed, 0.0, 1.0, [], ["github_pat_"]),
    row!("gitlab-token", "GITLAB_TOKEN", "", "token of GitLab", [r"gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat)-[A-Za-z0-9_-]{20,64}"], secrets::prefixed, 0.0, 1.0, [], ["glpat-", "gloas-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-"]),
    row!("slack-token", "SLACK_TOKEN", "", "token of Slack", [r"xox[abeoprs]-[A-Za-z0-9-]{10,250}", r"xapp-[0-9]-[A-Za-z0-9-]{10,250}"], secrets::prefixed, 0.0, 1.0, [], ["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"]),
    row!("slack-webhook", "SLACK_WEBHOOK", "", "webhook of Slack", [r"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{8,12}/[A-Z0-9]{8,14}/[A-Za-z0-9]{20,32}"], secrets::prefixed, 0.0, 1.0, [], ["hooks.slack.com/"]),
    row!("stripe-key", "STRIPE_KEY", "", "secret key of Stripe", [r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,120}", r"whsec_[A-Za-z0-9]{24,64}"], secrets::prefixed, 0.0, 1.0, [], ["sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"]),
    row!("anthropic-key", "ANTHROPIC_KEY", "", "API key of Anthropic", [r"sk-ant-[a-z]{3,6}[0-9]{2}-[A-Za-z0-9_-]{40,120}"], secrets::prefixed, 0.0, 1.0, [], ["sk-ant-"]),
    row!("openai-key", "OPENAI_KEY", "", "API key of OpenAI", [r"sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{16,90}T3BlbkFJ[A-Za-z0-9_-]{16,90}", r"sk-[A-Za-z0-9]{48}"], secrets::prefixed, 0.0, 1.0, [], ["sk-"]),
    row!("hugging-face-token", "HUGGING_FACE_TOKEN", "", "token of Hugging Face", [r"hf_[A-Za-z]{34}"], secrets::prefixed, 0.0, 1.0, [], ["hf_"]),
    row!("npm-token", "NPM_TOKEN", "", "token of npm, with CRC-32", [r"npm_[A-Za-z0-9]{36}"], secrets::crc62, 0.7, 1.0, [], ["npm_"]),
    row!("pypi-token", "PYPI_TOKEN", "", "token of PyPI (macaroon)", [r"pypi-AgE[A-Za-z0-9_-]{50,1000}"], secrets::prefixed, 0.0, 1.0, [], ["pypi-"]),
    row!("sendgrid-key", "SENDGRID_KEY", "", "API key of SendGrid", [r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"], secrets::prefixed, 0.0, 1.0, [], ["sg."]),
    row!("digitalocean-token", "DIGITALOCEAN_TOKEN", "", "token of DigitalOcean", [r"do[opr]_v1_[a-f0-9]{64}"], secrets::prefixed, 0.0, 1.0, [], ["dop_v1_", "doo_v1_", "dor_v1_"]),
    row!("shopify-token", "SHOPIFY_TOKEN", "", "token of Shopify", [r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"], secrets::prefixed, 0.0, 1.0, [], ["shpat_", "shpca_", "shppa_", "shpss_"]),
    row!("vault-token", "VAULT_TOKEN", "", "token of Vault and OpenBao", [r"hv[sbr]\.[A-Za-z0-9_-]{24,200}"], secrets::prefixed, 0.0, 1.0, [], ["hvs.", "hvb.", "hvr."]),
    row!("databricks-token", "DATABRICKS_TOKEN", "", "token of Databricks", [r"dapi[a-f0-9]{32}(?:-[0-9])?"], secrets::prefixed, 0.0, 1.0, [], ["dapi"]),
    row!("telegram-token", "TELEGRAM_TOKEN", "", "token of a Telegram bot", [r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"], secrets::prefixed, 0.0, 1.0, []),
    row!("twilio-key", "TWILIO_KEY", "", "API key of Twilio", [r"SK[a-f0-9]{32}"], secrets::prefixed, 0.0, 0.9, []),
    row!("age-key", "AGE_SECRET_KEY", "", "secret key of age", [r"AGE-SECRET-KEY-1[0-9A-Z]{58}"], secrets::prefixed, 0.0, 1.0, [], ["age-secret-key-"]),
    row!("assigned-secret", "SECRET", "", "random value behind a word that tells what it is",
        [r#"(?i:password|passwd|pwd|secret|secret[_-]?key|api[_-]?key|apikey|access[_-]?key|auth[_-]?token|access[_-]?token|client[_-]?secret|private[_-]?key|token)["']? ?[:=]{1,2}>? ?["'`]?[A-Za-z0-9+/=_!@#$^&*-]{12,120}"#],
        secrets::assigned, 0.0, 0.7, [], ["password", "passwd", "pwd", "secret", "api_key", "api-key", "apikey", "access_key", "access-key", "accesskey", "auth_token", "access_token", "client_secret", "private_key", "token"]),
];
