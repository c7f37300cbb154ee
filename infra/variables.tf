variable "project_id" {
  type = string
}

variable "environment" {
  type = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "The environment is dev, staging or prod."
  }
}

variable "regions" {
  description = "Regions of functions and of what stands beside them. The first one runs jobs and timers."
  type        = list(string)

  validation {
    condition     = length(var.regions) > 0 && length(distinct(var.regions)) == length(var.regions)
    error_message = "At least one region, and each once."
  }
}

variable "domain" {
  description = "The API's host name: api.example.com."
  type        = string
}

variable "app_url" {
  description = "Where links in mails lead, of a tenant that names no app of its own."
  type        = string
}

variable "release" {
  description = "Version that functions say they are. npm run build gives it."
  type        = string
  default     = "dev"
}

variable "manifest_file" {
  description = "The manifest, from this folder. Another one than the code's own is for rolling back."
  type        = string
  default     = "manifest.json"
}

variable "manifest_digest" {
  description = "SHA-256 of the manifest that the packages were built with. Not compared where empty."
  type        = string
  default     = ""
}

variable "packages" {
  description = "Each function's package: file under packages_directory, named by its hash. npm run build gives them."
  type        = map(object({ file = string }))
  default     = {}
}

variable "packages_directory" {
  type    = string
  default = "../dist/packages"
}

variable "images" {
  description = "Container of each service, by name. npm run deploy gives them."
  type        = map(string)
  default     = {}
}

variable "settings" {
  description = "More variables for all functions, none of them secret, such as TWILIO_ACCOUNT_SID."
  type        = map(string)
  default     = {}
}

variable "secret_versions" {
  description = "Number of each secret's version. A secret without one exists, but no function is given it."
  type        = map(number)
  default     = {}
}

variable "secret_values" {
  description = "Values of versions that are new. From TF_VAR_secret_values, never from a file that is kept."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "database" {
  type    = string
  default = "(default)"
}

variable "firestore_location" {
  description = "A multi-region (eur3, nam5) or one region. It can't be changed later."
  type        = string
}

variable "storage_location" {
  description = "Of buckets and warehouse: EU, US or one region."
  type        = string
}

variable "kms_location" {
  description = "europe, us, or one region. With customer-managed keys it must be Firestore's."
  type        = string
}

variable "customer_managed_keys" {
  description = "Encrypts stored data under a key of this project. It can't be changed later."
  type        = bool
  default     = false
}

variable "key_protection" {
  type    = string
  default = "SOFTWARE"
}

variable "delete_protection" {
  type    = bool
  default = true
}

variable "lock_retention" {
  description = "Makes the retention of audit roots final. There is no way back."
  type        = bool
}

variable "min_instances" {
  description = "Instances of each function that are kept warm in each region."
  type        = number
  default     = 0
}

variable "max_instances" {
  type    = number
  default = 100
}

variable "redis" {
  description = "Memorystore. Null where there is none."
  type        = object({ tier = string, memory_gb = number })
  default     = null
}

variable "webhook_sources" {
  description = "Networks that a webhook provider says it sends from. Others are let in from anywhere; their signature counts."
  type        = map(list(string))
  default     = {}
}

variable "requests_per_minute" {
  type    = number
  default = 3000
}

variable "waf_preview" {
  type    = bool
  default = false
}

variable "trace_endpoint" {
  description = "OTLP collector that traces go to. None where empty."
  type        = string
  default     = ""
}

variable "trace_share" {
  type    = number
  default = 0.1
}

variable "log_level" {
  type    = string
  default = "info"
}

variable "operators" {
  description = "Service accounts whose holders may call functions from inside, by email."
  type        = list(string)
  default     = []
}

variable "alert_emails" {
  type = list(string)
}

variable "billing_account" {
  type    = string
  default = ""
}

variable "budget" {
  description = "Of a month."
  type        = object({ amount = number, currency = string })
  default     = { amount = 100, currency = "USD" }
}

variable "standby" {
  description = "Makes everything, but runs no timers."
  type        = bool
  default     = false
}

variable "github_repository" {
  description = "owner/name of the repository whose workflow may deploy. None where empty."
  type        = string
  default     = ""
}

variable "state_bucket" {
  description = "The bucket of the state, which the workflow's account needs."
  type        = string
  default     = ""
}
