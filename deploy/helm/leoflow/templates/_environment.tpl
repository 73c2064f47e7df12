{{- /* The server's settings. What names the Pod itself comes from the Pod, what is secret from the Secret. */ -}}
{{- define "leoflow.env" -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: LEOFLOW_HOST
  value: "0.0.0.0"
- name: LEOFLOW_PORT
  value: "8080"
- name: LEOFLOW_URL
  value: {{ printf "%s://$(POD_IP):8080" (include "leoflow.scheme" .) }}
- name: LEOFLOW_REALM
  value: {{ include "leoflow.realm" . | quote }}
- name: LEOFLOW_EXECUTOR
  value: kubernetes
- name: LEOFLOW_AGENT_URL
  value: {{ .Values.tasks.agentUrl | default (include "leoflow.serviceUrl" .) | quote }}
- name: LEOFLOW_KUBERNETES_NAMESPACE
  value: {{ include "leoflow.tasksNamespace" . }}
{{- with .Values.tasks.serviceAccount }}
- name: LEOFLOW_KUBERNETES_SERVICE_ACCOUNT
  value: {{ . }}
{{- end }}
{{- with .Values.tasks.imagePullSecrets }}
- name: LEOFLOW_KUBERNETES_IMAGE_PULL_SECRETS
  value: {{ join "," . }}
{{- end }}
{{- with .Values.tasks.agentImage }}
- name: LEOFLOW_KUBERNETES_AGENT_IMAGE
  value: {{ . | quote }}
- name: LEOFLOW_KUBERNETES_AGENT_MOUNT
  value: {{ $.Values.tasks.agentMount }}
{{- end }}
{{- if .Values.tasks.prepull }}
- name: LEOFLOW_KUBERNETES_PREPULL
  value: "true"
{{- end }}
{{- if .Values.tls.secret }}
- name: LEOFLOW_TLS_CERT
  value: /etc/leoflow/tls/tls.crt
- name: LEOFLOW_TLS_KEY
  value: /etc/leoflow/tls/tls.key
{{- if .Values.tls.ca }}
- name: LEOFLOW_AGENT_CA
  value: /etc/leoflow/tls/ca.crt
{{- end }}
{{- end }}
{{- if eq .Values.database.kind "postgresql" }}
- name: LEOFLOW_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "leoflow.secret" . }}
      key: database-url
{{- end }}
- name: LEOFLOW_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "leoflow.secret" . }}
      key: secret-key
      {{- if eq .Values.database.kind "sqlite" }}
      optional: true
      {{- end }}
- name: LEOFLOW_ADMIN_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ include "leoflow.secret" . }}
      key: admin-token
      {{- if eq .Values.database.kind "sqlite" }}
      optional: true
      {{- end }}
- name: LEOFLOW_WEBHOOK_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ include "leoflow.secret" . }}
      key: webhook-secret
      optional: true
{{- range $name, $value := .Values.settings }}
- name: LEOFLOW_{{ upper $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
