{{/* What everything of a release is called; one operator works in a namespace, so the release's name need not be in it twice. */}}
{{- define "operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "operator.fullname" .) -}}
{{- end }}

{{/* Without the release's name: a Lease lets one operator lead in a namespace, and plain manifests can be taken over by Helm. */}}
{{- define "operator.selector" -}}
app.kubernetes.io/name: boardroom-operator
app.kubernetes.io/component: operator
{{- end }}

{{- define "operator.labels" -}}
{{- include "operator.labelsWith" (list .) -}}
{{- end }}

{{/* Call with a list: the root, then maps of labels of the object itself, which win over commonLabels. */}}
{{- define "operator.labelsWith" -}}
{{- $root := first . -}}
{{- $own := fromYaml (include "operator.selector" $root) -}}
{{- $_ := set $own "app.kubernetes.io/instance" $root.Release.Name -}}
{{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- include "operator.mergedLabels" (concat (list $own) (rest .) (list $root.Values.commonLabels)) -}}
{{- end }}

{{/* Call with a list: labels that are the chart's own, then maps of values, of which the first to name a label wins. */}}
{{- define "operator.mergedLabels" -}}
{{- $own := first . -}}
{{- $all := dict -}}
{{- range rest . }}{{ $all = merge $all (. | default dict) }}{{ end -}}
{{- range $label, $_ := $own }}
{{- if hasKey $all $label }}
{{- fail (printf "%s: the chart sets this label itself, and selectors and Helm go by it: take it out of commonLabels, podLabels and metrics.*.labels" $label) }}
{{- end }}
{{- end -}}
{{- toYaml (merge $all $own (dict "app.kubernetes.io/part-of" "boardroom")) -}}
{{- end }}

{{/* Call with a list: the root, then maps of annotations of the object itself. Renders the key too, or nothing. */}}
{{- define "operator.annotations" -}}
{{- $root := first . -}}
{{- $all := dict -}}
{{- range rest . }}{{ $all = merge $all (. | default dict) }}{{ end -}}
{{- with merge $all (deepCopy ($root.Values.commonAnnotations | default dict)) -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "operator.image" -}}
{{- $repository := required "image.repository: give the registry and name that you pushed the image to, for example --set image.repository=registry.example.com/boardroom-operator (docs/getting-started/install.md)" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{- define "operator.restricted" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}
