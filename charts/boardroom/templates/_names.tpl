{{- define "board.name" -}}
{{- $name := .Values.name | default .Release.Name -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,47}[a-z0-9])?$" $name) -}}
{{- fail (printf "name: %q can't name a board: give one of at most 49 characters (a-z, 0-9, '-', beginning with a letter), because its Services are named after it" $name) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{- define "board.labels" -}}
{{- $own := dict "app.kubernetes.io/name" (printf "%s-board" .Chart.Name) "app.kubernetes.io/instance" .Release.Name -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- range $label, $_ := .Values.labels }}
{{- if hasKey $own $label }}
{{- fail (printf "labels: %s: the chart sets this label itself, and Helm goes by it: leave it out" $label) }}
{{- end }}
{{- end -}}
{{- toYaml (merge $own (.Values.labels | default dict)) -}}
{{- end }}
