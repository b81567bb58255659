# Keeps one PostgreSQL server for as long as its standard input is open: an end of file means that the process which
# wanted the server is gone, however it went. Arguments: the folder of the programs, the folder of the server. The first
# line of the input is the password, each further line a command; the answer is one line with an exit status, the output
# of a command is in the file `answer`.

programs=$1
folder=$2
cd / || exit
umask 077
export LC_ALL=C PGDATA="$folder/data" PGHOST="$folder" PGUSER=mediaflow PGDATABASE=postgres PGCONNECT_TIMEOUT=10
IFS= read -r PGPASSWORD
export PGPASSWORD

create() {
    printf '%s\n' "$PGPASSWORD" >"$folder/password"
    "$programs/initdb" --no-sync --no-instructions --encoding=UTF8 --locale=C \
        --username="$PGUSER" --auth=scram-sha-256 --pwfile="$folder/password"
}

# control ACTION OPTION...: with the server's own words when it fails.
control() {
    "$programs/pg_ctl" "$@" --silent --wait --timeout=60 && return
    tail -n 20 "$folder/log"
    return 1
}

while read -r command argument; do
    case $command in
        create) create ;;
        start) PGPORT=$argument; export PGPORT; control start --log="$folder/log" --options="-p $PGPORT" ;;
        restart) control restart --mode=fast --log="$folder/log" ;;
        stop) control stop --mode=immediate ;;
        database) "$programs/createdb" "$argument" ;;
        *) false ;;
    esac </dev/null >"$folder/answer" 2>&1
    echo $?
done

"$programs/pg_ctl" stop --silent --wait --timeout=60 --mode=immediate </dev/null >/dev/null 2>&1
rm -rf "$folder"
