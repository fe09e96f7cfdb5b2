-- Health of a boardroom.dev/BoardAgent for Argo CD, which takes a kind that it does not know for healthy.
-- An agent that is not accepted, or whose adapter failed, is degraded: it is absent from every answer.
local health = { status = "Progressing", message = "the operator has not seen this BoardAgent yet" }
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
local ready, stalled = found.Ready, found.Stalled
if stalled ~= nil and stalled.status == "True" then
  health.status, health.message = "Degraded", stalled.reason .. ": " .. stalled.message
elseif ready == nil then
  health.message = "the operator has not said yet whether this BoardAgent is ready"
elseif ready.status == "True" then
  health.status, health.message = "Healthy", ready.message
elseif ready.status == "False" and ready.reason ~= "BoardroomNotFound" then
  health.status, health.message = "Degraded", ready.reason .. ": " .. ready.message
else
  health.message = ready.reason .. ": " .. ready.message
end
return health
