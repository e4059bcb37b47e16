package policy

default allow = false

allow if {
    startswith(data["resource-path"], "night/")
}
