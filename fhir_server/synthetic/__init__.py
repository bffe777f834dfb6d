"""A synthetic township: residents, teams, contracts, follow-ups and referrals that never were."""
