// The version of the agent, as the build has it.
#ifndef SHOAL_AGENT_VERSION_H_
#define SHOAL_AGENT_VERSION_H_

namespace shoal::agent {

inline constexpr char kVersion[] = SHOAL_VERSION;

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_VERSION_H_
