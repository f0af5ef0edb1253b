-- Whoever waits for a job hears of every change of its phase: the service for its clients, the workers for jobs to run and to stop.

CREATE OR REPLACE FUNCTION functions.tell_phase() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM pg_notify('uws_job', OLD.job_id || ' DELETED');
        RETURN OLD;
    END IF;
    PERFORM pg_notify('uws_job', NEW.job_id || ' ' || NEW.phase);
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION functions.tell_phase() IS 'Trigger of store.uws_job: NOTIFY uws_job with the job and its new phase, or DELETED.';

CREATE OR REPLACE TRIGGER tell_phase AFTER INSERT OR DELETE OR UPDATE OF phase ON store.uws_job
FOR EACH ROW EXECUTE FUNCTION functions.tell_phase();
