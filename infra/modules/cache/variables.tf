variable "regions" {
  type = list(string)
}

variable "tier" {
  description = "BASIC, or STANDARD_HA with a replica in another zone."
  type        = string
}

variable "memory_gb" {
  type = number
}

variable "readers" {
  description = "IAM members of the functions that use Redis."
  type        = list(string)
}
