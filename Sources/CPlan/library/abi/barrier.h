// The barrier that no exception passes, and how a wrong call is told.

#ifndef BARRIER_H
#define BARRIER_H

#include "CPlan.h"

#include <exception>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>

extern thread_local std::string last_plan_error;

// Throws std::invalid_argument, with the parts as its text, unless `holds`.
template <typename... Parts>
void require(bool holds, const Parts &...parts) {
    if (holds) return;
    std::ostringstream text;
    (text << ... << parts);
    throw std::invalid_argument(text.str());
}

// Runs `body` and turns whatever it throws into a status and a text.
template <typename Body>
CPlanStatus plan_guarded(Body &&body) noexcept {
    try {
        body();
        return CPLAN_OK;
    } catch (const std::bad_alloc &) {
        last_plan_error = "the machine's memory is used up";
        return CPLAN_ERROR_MEMORY;
    } catch (const std::invalid_argument &error) {
        last_plan_error = error.what();
        return CPLAN_ERROR_ARGUMENT;
    } catch (const std::exception &error) {
        last_plan_error = error.what();
        return CPLAN_ERROR_OTHER;
    } catch (...) {
        last_plan_error = "an exception of unknown type";
        return CPLAN_ERROR_OTHER;
    }
}

#endif
