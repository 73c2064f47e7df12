{{- define "leoflow.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "leoflow.selector" -}}
app.kubernetes.io/name: leoflow
app.kubernetes.io/instance: {{ include "leoflow.name" . }}
app.kubernetes.io/component: server
{{- end }}

{{- define "leoflow.metadata" -}}
name: {{ include "leoflow.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "leoflow.labels" . | nindent 2 }}
{{- end }}

{{- define "leoflow.labels" -}}
{{ include "leoflow.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "leoflow.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "leoflow.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create -}}
{{ include "leoflow.name" . }}
{{- else -}}
default
{{- end -}}
{{- end }}

{{- define "leoflow.secret" -}}
{{ .Values.secret.name | default (include "leoflow.name" .) }}
{{- end }}

{{- define "leoflow.realm" -}}
{{ .Values.tasks.realm | default (include "leoflow.name" .) }}
{{- end }}

{{- define "leoflow.tasksNamespace" -}}
{{ .Values.tasks.namespace | default .Release.Namespace }}
{{- end }}

{{- define "leoflow.scheme" -}}
{{ if .Values.tls.secret }}https{{ else }}http{{ end }}
{{- end }}

{{- define "leoflow.serviceUrl" -}}
{{ include "leoflow.scheme" . }}://{{ include "leoflow.name" . }}.{{ .Release.Namespace }}.svc:{{ .Values.service.port }}
{{- end }}

{{- /* A probe's request; the kubelet's own Host, the Pod's address, may not be an allowed one. */ -}}
{{- define "leoflow.httpGet" -}}
port: http
scheme: {{ include "leoflow.scheme" . | upper }}
{{- with .Values.settings.allowed_hosts }}
httpHeaders:
  - name: Host
    value: {{ splitList "," (toString .) | first | trim | quote }}
{{- end }}
{{- end }}
