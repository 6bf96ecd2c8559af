"""Random systems, 5 to 200 services, with properties planted at known strength or absent.

plans                   what a system may look like, as data; one plan for each question
dice, vocabulary        draws that are the same everywhere; the words of a business
draft, weaving          operations that can still be changed; an ordinary system put together from them
tails, aiming           hops that make the slowest requests slow, as strong as wanted
symptoms                foreign tables, outages, replies over queues, layers, cycles, chatter, scaling
outliers                hubs, very large and very small services, waiting without end
planting                what both of these need
releasing               rhythms of deployment, planted pairs and groups, trains
drawing, story          the whole system; its README
"""

from tracelith.simulate.random_systems.drawing import draw_system
from tracelith.simulate.random_systems.plans import PLANS, Releasing, Shape, Symptoms, SystemPlan, Tails

__all__ = ["PLANS", "Releasing", "Shape", "Symptoms", "SystemPlan", "Tails", "draw_system"]
