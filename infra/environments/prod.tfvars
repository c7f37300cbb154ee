environment        = "prod"
project_id         = "omni-prod"
domain             = "api.omni.example"
app_url            = "https://app.omni.example"
regions            = ["europe-west1", "europe-west4"]
firestore_location = "eur3"
storage_location   = "EU"
kms_location       = "europe"
key_protection     = "HSM"
# There is no way back: docs/deploy.md, "What can't be undone".
lock_retention = true
min_instances  = 1
max_instances  = 200
alert_emails   = ["ops@omni.example"]
budget         = { amount = 2000, currency = "EUR" }
redis          = { tier = "STANDARD_HA", memory_gb = 1 }
state_bucket   = "omni-prod-state"

secret_versions = {}
