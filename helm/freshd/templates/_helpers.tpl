{{- define "freshd.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}{{ end }}{{ end }}
{{- end }}

{{- define "freshd.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Of the pod that `helm test` runs. */}}
{{- define "freshd.testSelector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 58 }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "freshd.labels" -}}
{{ include "freshd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "freshd.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "freshd.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "freshd.fullname" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "freshd.makesToken" -}}
{{- $api := default dict .Values.config.api }}
{{- if and .Values.createApiToken (not .Values.existingConfigMap) (not $api.token) (not $api.token_file) (not (hasKey .Values.secrets "api.token_file")) }}yes{{ end }}
{{- end }}

{{/* Secrets by setting, with the chart's own token. */}}
{{- define "freshd.secrets" -}}
{{- $secrets := deepCopy .Values.secrets }}
{{- if include "freshd.makesToken" . }}
{{- $_ := set $secrets "api.token_file" (dict "existingSecret" (printf "%s-api" (include "freshd.fullname" .)) "key" "token") }}
{{- end }}
{{- toYaml $secrets }}
{{- end }}

{{/* freshd.yaml: config, with every secret's file at the setting it is for. */}}
{{- define "freshd.config" -}}
{{- $config := deepCopy .Values.config }}
{{- range $setting, $secret := fromYaml (include "freshd.secrets" .) }}
{{- $parts := splitList "." $setting }}
{{- $at := $config }}
{{- range initial $parts }}
{{- $below := get $at . }}
{{- if kindIs "string" $below }}{{ $below = ternary (dict "url" $below) (dict) (ne $below "") }}{{ end }}
{{- $_ := set $at . (default dict $below) }}
{{- $at = get $at . }}
{{- end }}
{{- $_ := set $at (last $parts) (printf "/run/secrets/freshd/%s" $setting) }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{/* Of the settings, what a running daemon takes over only by a new start. */}}
{{- define "freshd.startOnly" -}}
{{- $config := fromYaml (include "freshd.config" .) }}
{{- omit $config "mode" "policies" "catalog" "identify" "launchers" "limits" | toJson | sha256sum }}
{{- end }}

{{- define "freshd.check" -}}
{{- $store := .Values.config.store }}
{{- $url := ternary $store (get (ternary $store dict (kindIs "map" $store)) "url") (kindIs "string" $store) | default "sqlite:" }}
{{- if gt (int .Values.replicaCount) 1 }}
{{- if hasPrefix "sqlite" $url }}
{{- fail (printf "replicaCount: %d with a store in SQLite (config.store: %s): a SQLite file belongs to one daemon; set replicaCount: 1" (int .Values.replicaCount) $url) }}
{{- end }}
{{- fail (printf "replicaCount: %d: freshd has no standby yet, a second daemon would take the store from the first; set replicaCount: 1 (a pod that dies is started anew and goes on where it was)" (int .Values.replicaCount)) }}
{{- end }}
{{- if regexMatch "^sqlite:///[^/]" $url }}
{{- fail (printf "config.store: %s is beside freshd.yaml, where nothing can be written; write sqlite:////data/freshd.db" $url) }}
{{- end }}
{{- range $setting, $address := dict "config.listen" .Values.config.listen "config.metrics.listen" (default dict .Values.config.metrics).listen }}
{{- if regexMatch "^(127[.]|localhost:|\\[::1\\])" (default "" $address) }}
{{- fail (printf "%s: %s is heard inside the pod alone, neither by the Service nor by probes; write 0.0.0.0:%s" $setting $address (include "freshd.port" $address)) }}
{{- end }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: every series would be scraped twice; enable one of them" }}
{{- end }}
{{- range $path, $text := .Values.files }}
{{- if or (hasPrefix "/" $path) (contains ".." $path) (eq $path "freshd.yaml") (not (regexMatch "^[-._a-zA-Z0-9/]+$" $path)) }}
{{- fail (printf "files: %q: write a path under /etc/freshd, such as policies/shop.yaml; freshd.yaml itself is config" $path) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "freshd.port" -}}
{{ regexFind "[0-9]+$" . }}
{{- end }}
