{{/* The pod: the demo application with Pinnace as a native sidecar. */}}
{{- define "pinnace.podTemplate" -}}
metadata:
  labels:
    {{- include "pinnace.selectorLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- if not .Values.existingConfigMap }}
    # A changed configuration makes new pods.
    checksum/config: {{ include "pinnace.config" . | sha256sum }}
    {{- end }}
    kubectl.kubernetes.io/default-container: app
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  serviceAccountName: {{ include "pinnace.serviceAccountName" . }}
  automountServiceAccountToken: false
  # A Service named pinnace would put PINNACE_PORT and the like into the environment.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if .Values.app.schedule }}
  restartPolicy: Never
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  initContainers:
    {{- include "pinnace.sidecar" . | nindent 4 }}
  containers:
    {{- include "pinnace.app" . | nindent 4 }}
  volumes:
    - name: logs
      emptyDir:
        sizeLimit: {{ .Values.logs.sizeLimit }}
    - name: pinnace-state
      {{- if .Values.state.existingClaim }}
      persistentVolumeClaim:
        claimName: {{ .Values.state.existingClaim }}
      {{- else }}
      emptyDir:
        sizeLimit: {{ .Values.state.sizeLimit }}
      {{- end }}
    - name: pinnace-config
      configMap:
        name: {{ include "pinnace.configMapName" . }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Starts before the application and gets its SIGTERM only when the application has ended. */}}
{{- define "pinnace.sidecar" -}}
- name: pinnace
  image: {{ include "pinnace.image" (dict "image" .Values.image "default" .Chart.AppVersion) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  restartPolicy: Always
  args: ["run", "--on-error={{ .Values.onError }}", "--config=/etc/pinnace/pinnace.yaml"]
  env:
    {{- include "pinnace.env" . | nindent 4 }}
  {{- with .Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - containerPort: {{ .Values.port }}
      protocol: TCP
  startupProbe:
    {{- include "pinnace.probe" (dict "path" "/healthz" "port" .Values.port "timing" .Values.startupProbe) | nindent 4 }}
  livenessProbe:
    {{- include "pinnace.probe" (dict "path" "/healthz" "port" .Values.port "timing" .Values.livenessProbe) | nindent 4 }}
  {{- with .Values.readinessProbe }}
  readinessProbe:
    {{- include "pinnace.probe" (dict "path" "/readyz" "port" $.Values.port "timing" .) | nindent 4 }}
  {{- end }}
  {{- with .Values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: logs
      mountPath: {{ .Values.logs.path }}
    - name: pinnace-state
      mountPath: /var/lib/pinnace
    - name: pinnace-config
      mountPath: /etc/pinnace
      readOnly: true
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "pinnace.probe" -}}
httpGet:
  path: {{ .path }}
  port: {{ .port }}
{{ toYaml .timing }}
{{- end -}}

{{/* What the configuration may take in with ${...}. */}}
{{- define "pinnace.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pinnace.app" -}}
- name: app
  image: {{ include "pinnace.image" (dict "image" .Values.app.image "default" "latest") }}
  imagePullPolicy: {{ .Values.app.image.pullPolicy }}
  {{- if .Values.app.command }}
  command:
    {{- toYaml .Values.app.command | nindent 4 }}
  {{- with .Values.app.args }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- else }}
  command: ["/bin/sh", "-c"]
  args:
    - |
      {{- include "pinnace.loop" . | nindent 6 }}
  {{- end }}
  {{- with .Values.app.env }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.app.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: logs
      mountPath: {{ .Values.logs.path }}
{{- end -}}

{{/* Writes as a Python report does, and rotates by renaming, so that the volume never fills. */}}
{{- define "pinnace.loop" -}}
log={{ .Values.logs.path }}/demo.log
write() { echo "$(date +"%F %T") - demo - $1 - $2" >> "$log"; }
trap 'write INFO "arrêt demandé"; exit 0' TERM
lines={{ .Values.app.lines }}
n=0
while [ "$lines" -eq 0 ] || [ "$n" -lt "$lines" ]; do
  n=$((n + 1))
  write INFO "étape $n terminée"
  if [ $((n % 50)) -eq 0 ]; then
    write WARNING "étape $n : délai dépassé, nouvel essai"
  fi
  if [ $((n % 10000)) -eq 0 ]; then
    mv "$log" "$log.1"
  fi
  sleep {{ .Values.app.interval }} & wait $!
done
write INFO "fin de l'exécution"
{{- end -}}
