//! Frames survive the trip, and hostile bytes are refused.
