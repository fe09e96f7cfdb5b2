-- Health of a boardroom.dev/Boardroom for Argo CD, which takes a kind that it does not know for healthy.
-- Says what kstatus says of the same object, and Suspended where spec.suspend is true.
local health = { status = "Progressing", message = "the operator has not seen this Boardroom yet" }
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end
if status.observedGeneration ~= obj.metadata.generation then
  health.message = "the operator has not seen the last change of spec yet"
  return health
end
local found = {}
for _, condition in ipairs(status.conditions) do
  found[condition.type] = condition
end
local ready, reconciling, stalled = found.Ready, found.Reconciling, found.Stalled
if stalled ~= nil and stalled.status == "True" then
  health.status, health.message = "Degraded", stalled.reason .. ": " .. stalled.message
elseif ready == nil then
  health.message = "the operator has not said yet whether this Boardroom is ready"
elseif ready.status ~= "True" then
  health.message = ready.reason .. ": " .. ready.message
elseif reconciling ~= nil and reconciling.status == "True" then
  health.message = reconciling.reason .. ": " .. reconciling.message
elseif ready.reason == "Suspended" then
  health.status, health.message = "Suspended", ready.message
else
  health.status, health.message = "Healthy", ready.message
end
return health
