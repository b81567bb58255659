mod destination;
mod dispatcher;
