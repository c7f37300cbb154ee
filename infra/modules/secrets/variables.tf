variable "functions" {
  description = "What each function reads and uses, and who it is."
  type = map(object({
    member  = string
    secrets = list(string)
    uses    = list(string)
  }))
}

variable "regions" {
  type = list(string)
}

variable "versions" {
  description = "The number of each secret's version. A secret without one exists, but no function is given it."
  type        = map(number)
}

variable "values" {
  description = "Values of versions that are new, written only."
  type        = map(string)
  sensitive   = true
  default     = {}
}

variable "kms_location" {
  type = string
}

variable "protection_level" {
  description = "SOFTWARE or HSM. It can't be changed later."
  type        = string
  default     = "SOFTWARE"
}

variable "customer_managed" {
  description = "Makes a key for stored data."
  type        = bool
  default     = false
}

variable "storage_agents" {
  description = "IAM members of the services that encrypt stored data."
  type        = list(string)
  default     = []
}
