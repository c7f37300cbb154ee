variable "project_id" {
  type = string
}

variable "project_number" {
  type = string
}

variable "topic" {
  type = string
}

variable "kms_key" {
  description = "Encrypts what waits on the topics. Google's own key where null."
  type        = string
  default     = null
}

variable "storage_regions" {
  description = "Regions in which messages may be stored. Anywhere where empty."
  type        = list(string)
  default     = []
}

variable "publishers" {
  description = "IAM members that publish events, under the names of their functions."
  type        = map(string)
}

variable "scheduler_agent" {
  description = "IAM member of Cloud Scheduler's service agent."
  type        = string
}

variable "jobs" {
  description = "Every job, under its name: where it is pushed to, and how."
  type = map(object({
    url            = string
    filter         = string
    ordered        = bool
    ack_deadline   = number
    max_deliveries = number
    backoff        = object({ min = number, max = number })
  }))
}
