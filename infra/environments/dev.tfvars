# A place to try things: one region, nothing warm, nothing that can't be taken away again.
environment        = "dev"
project_id         = "omni-dev"
domain             = "api.dev.omni.example"
app_url            = "https://app.dev.omni.example"
regions            = ["europe-west1"]
firestore_location = "europe-west1"
storage_location   = "europe-west1"
kms_location       = "europe-west1"
delete_protection  = false
lock_retention     = false
max_instances      = 5
waf_preview        = true
log_level          = "debug"
trace_share        = 1
alert_emails       = ["ops@omni.example"]
budget             = { amount = 50, currency = "EUR" }
state_bucket       = "omni-dev-state"

secret_versions = {}
