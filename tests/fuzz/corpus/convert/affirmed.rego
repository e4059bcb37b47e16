package policy
default allow = false
allow {
    not input["submods"]["cpu0"]["ear.veraison.annotated-evidence"]["sample"]
    input["submods"]["cpu0"]["ear.status"] != "contraindicated"
    data.plugin == "resource"
}
