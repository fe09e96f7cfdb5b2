{{/* The operator's rights in each namespace that it watches. */}}
{{- define "operator.rules" -}}
# The two kinds; spec belongs to users, so only status is written.
- apiGroups: [boardroom.dev]
  resources: [boardrooms, boardagents]
  verbs: [get, list, watch]
- apiGroups: [boardroom.dev]
  resources: [boardrooms/status, boardagents/status]
  verbs: [patch]
# blockOwnerDeletion, where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [boardroom.dev]
  resources: [boardrooms/finalizers]
  verbs: [update]
# What a board owns. Server-side apply needs create and patch.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, serviceaccounts, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Why a pod does not come up; and the image of the operator's own pod.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# Only because coordinators' Roles have it: nobody may grant what they don't hold.
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create, get, patch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [authorization.k8s.io]
  resources: [localsubjectaccessreviews]
  verbs: [create]
- apiGroups: [boardroom.dev]
  resources: [boardrooms/ask]
  verbs: [create]
{{- end }}

{{/* What only an operator of all namespaces may do: coordinators have tokens reviewed, bound for each board with mode
Kubernetes to that ClusterRole and no other. */}}
{{- define "operator.clusterRules" -}}
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterrolebindings]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  resourceNames: [boardroom-coordinator-auth]
  verbs: [bind]
{{- end }}

{{- define "operator.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "operator.serviceAccount" . | quote }}
    namespace: {{ .Release.Namespace | quote }}
{{- end }}
