{{/* The names of all objects. */}}
{{- define "pinnace.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "pinnace.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "pinnace.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pinnace.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pinnace.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pinnace.labels" -}}
{{ include "pinnace.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{- define "pinnace.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pinnace.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "pinnace.configMapName" -}}
{{- default (printf "%s-config" (include "pinnace.fullname" .)) .Values.existingConfigMap -}}
{{- end -}}

{{/* An image: a dict of `image` and the `default` tag. A digest wins over a tag. */}}
{{- define "pinnace.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .default .image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Milliseconds of a duration such as 25s, 1m or 500ms. The schema has checked its form. */}}
{{- define "pinnace.milliseconds" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- mul $number (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit) -}}
{{- end -}}

{{/* What must hold between values; one by one is the schema's part. */}}
{{- define "pinnace.validate" -}}
{{- $enabled := 0 -}}
{{- range .Values.outputs }}{{ if .enabled }}{{ $enabled = add1 $enabled }}{{ end }}{{ end -}}
{{- if not (or .Values.existingConfigMap $enabled) -}}
{{- fail "enable at least one of outputs, or name an existingConfigMap" -}}
{{- end -}}
{{- $timeout := include "pinnace.milliseconds" .Values.config.shutdown.timeout | int64 -}}
{{- if le (mul .Values.terminationGracePeriodSeconds 1000) $timeout -}}
{{- fail (printf "terminationGracePeriodSeconds (%v) must be longer than config.shutdown.timeout (%s): the pod is killed when it is over" .Values.terminationGracePeriodSeconds .Values.config.shutdown.timeout) -}}
{{- end -}}
{{- if and .Values.state.existingClaim (gt (int .Values.app.replicas) 1) -}}
{{- fail "state.existingClaim serves one pod: set app.replicas to 1" -}}
{{- end -}}
{{- if and .Values.app.schedule (not .Values.app.lines) (not .Values.app.command) -}}
{{- fail "app.schedule needs an application that ends: set app.lines or app.command" -}}
{{- end -}}
{{- end -}}

{{/* pinnace.yaml: the values word for word, the outputs as a list, empty settings left out. */}}
{{- define "pinnace.config" -}}
{{- $outputs := list -}}
{{- range $name, $output := .Values.outputs -}}
{{- if $output.enabled -}}
{{- $kept := dict "name" $name -}}
{{- range $key, $value := omit $output "enabled" -}}
{{- if not (has $value (list "" nil)) -}}
{{- $_ := set $kept $key $value -}}
{{- end -}}
{{- end -}}
{{- $outputs = append $outputs $kept -}}
{{- end -}}
{{- end -}}
{{- $server := dict "listen" (printf "0.0.0.0:%v" .Values.port) -}}
{{- $own := dict "state_dir" "/var/lib/pinnace" "server" $server "outputs" $outputs -}}
{{- toYaml (merge $own .Values.config) -}}
{{- end -}}
