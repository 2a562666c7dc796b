"""What may be wrong with pictures: near-duplicates, faulty pictures, likely wrong labels. Arrays in, findings out; numpy only."""
