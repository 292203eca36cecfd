// What the routes for other programs' clients share: a request that waits for its pictures.
#pragma once

#include <functional>

#include "server/context.h"
#include "server/http.h"
#include "server/submission.h"

namespace mezzo::server {

/// Puts the job into the queue, and answers when it is over: with `answer` where it completed, else
/// with its error. A client that goes away cancels it.
Response wait_for_job(Context& context, Submission submission, bool save,
                      std::function<Response(const Job&)> answer,
                      std::function<Response(const ApiError&)> refuse);

/// Why a job has no pictures.
ApiError error_of(const Job& job);
/// A job that is over already is left alone.
void cancel_quietly(Queue& queue, std::int64_t id);

/// The model that other programs' names for it mean: "icons", "icons.gguf", "icons [dbe51f584a]";
/// "" where there is none of that name.
std::string model_called(Context& context, std::string name);

/// A number or text of a body whose members may be null or texts of numbers.
std::optional<double> loose_number(const Json& body, std::string_view key);
/// The whole part; numbers that no field can hold become -1e18 or 1e18, which no field allows.
std::int64_t whole(double number);

}  // namespace mezzo::server
