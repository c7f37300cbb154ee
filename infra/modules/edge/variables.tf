variable "domain" {
  description = "The API's host name."
  type        = string
}

variable "regions" {
  type = list(string)
}

variable "functions" {
  description = "The service and the paths of each function."
  type        = map(object({ service = string, paths = list(string) }))

  validation {
    condition     = length([for function in var.functions : function if length(function.paths) > 0]) > 0
    error_message = "No function has a path."
  }
}

variable "webhooks" {
  description = "Paths that one provider's webhooks come to."
  type        = list(object({ provider = string, path = string }))
}

variable "webhook_sources" {
  description = "Networks that a provider says it sends from."
  type        = map(list(string))
}

variable "requests_per_minute" {
  description = "From one address."
  type        = number
  default     = 3000
}

variable "waf_preview" {
  description = "Only logs what the OWASP rules would refuse. Do this first, and look for tenants' own words in it."
  type        = bool
  default     = false
}

variable "log_sample_rate" {
  type    = number
  default = 0.1
}
