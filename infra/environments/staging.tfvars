# As production in kind, smaller in number.
environment        = "staging"
project_id         = "omni-staging"
domain             = "api.staging.omni.example"
app_url            = "https://app.staging.omni.example"
regions            = ["europe-west1", "europe-west4"]
firestore_location = "eur3"
storage_location   = "EU"
kms_location       = "europe"
lock_retention     = false
max_instances      = 20
alert_emails       = ["ops@omni.example"]
budget             = { amount = 200, currency = "EUR" }
redis              = { tier = "BASIC", memory_gb = 1 }
state_bucket       = "omni-staging-state"

secret_versions = {}
