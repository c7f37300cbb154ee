variable "project_id" {
  type = string
}

variable "service" {
  description = "Its name in the cloud."
  type        = string
}

variable "urls" {
  description = "Its own address in each region, which tokens of callers from inside are for."
  type        = map(string)
}

variable "account" {
  description = "The account that it runs as: resource name, email and IAM member."
  type        = object({ name = string, email = string, member = string })
}

variable "regions" {
  type = list(string)
}

variable "function" {
  description = "Its entry in the manifest."
  type = object({
    name        = string
    kind        = string
    paths       = list(string)
    secrets     = list(string)
    uses        = list(string)
    memory      = number
    cpu         = number
    concurrency = number
    timeout     = number
    instances   = object({ min = number, max = number })
    jobs        = list(object({ name = string }))
  })
}

variable "environment" {
  description = "Variables that all functions have."
  type        = map(string)
}

variable "secrets" {
  description = "The version of each secret that has one, under its name."
  type        = map(object({ secret = string, version = string }))
}

variable "redis" {
  description = "The secret with the URL of each region's Redis. Empty where there is none."
  type        = map(object({ secret = string, version = string }))
  default     = {}
}

variable "connectors" {
  description = "Each region's connector to the network of Redis."
  type        = map(string)
  default     = {}
}

variable "package" {
  type = object({ bucket = string, object = string })
}

variable "image" {
  description = "Container of a service."
  type        = string
  default     = ""
}

variable "build_account" {
  description = "Name of the account that builds."
  type        = string
}

variable "push_account" {
  description = "Email of the account that Pub/Sub pushes as."
  type        = string
}

variable "operators" {
  description = "Who besides may call it from inside, as IAM members."
  type        = list(string)
  default     = []
}

variable "database" {
  type = string
}

variable "encryption_key" {
  type = string
}

variable "signing_key" {
  type = string
}

variable "blob_bucket" {
  type = string
}

variable "locked_bucket" {
  type = string
}

variable "min_instances" {
  description = "Kept warm in each region, at least."
  type        = number
  default     = 0
}

variable "max_instances" {
  description = "In each region, at most."
  type        = number
  default     = 100
}

variable "ready" {
  description = "What must be there before it is built and serves: the roles of who builds, the indexes of its queries."
  type        = any
  default     = []
}
