//! What a gRPC call says of itself: its name, its status, and how many messages it has.

mod call;
mod code;
mod known;
mod messages;

pub(crate) use self::{
    call::{is_grpc, split_path},
    code::GrpcCode,
    known::{Call, KnownCalls},
    messages::Messages,
};
