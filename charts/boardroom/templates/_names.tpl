{{- define "board.name" -}}
{{- $name := .Values.name | default .Release.Name -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,47}[a-z0-9])?$" $name) -}}
{{- fail (printf "name: %q can't name a board: give one of at most 49 characters (a-z, 0-9, '-', beginning with a letter), because its Services are named after it" $name) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{- define "board.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-board
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
